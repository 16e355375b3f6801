"""Animals: individuals, the joints of their poses, and their shapes.

The frame is the body's own, as for people: (left, up, forward) in metres, the ground at height 0.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from random import Random

from gensight.puppets.bodies.heads import Head
from gensight.puppets.bodies.species import BLACK, BROWN, PINK, SPECIES, WHITE, Species
from gensight.puppets.scenery.palette import near
from gensight.puppets.shapes import Ball, Colour, Material, Number, Shape, Vector, capsule, tint
from gensight.puppets.vectors import SIDES, between, dot


@dataclass(frozen=True)
class Animal:
    """One individual: its species, random proportions and coat; the same in every frame."""

    word: str
    species: Species
    height: Number
    length: Number
    trunk: Number
    coat: Material
    coat_words: tuple[str, ...]
    points: Colour
    ears: str
    stance: str
    neck_angle: Number
    head_yaw: Number
    stride: Number
    phase: Number


def draw_animal(random: Random) -> Animal:
    """A random individual in a random pose."""
    word = random.choice(list(SPECIES))
    species = SPECIES[word]
    height = random.uniform(*species.height)
    coat_word, colour = random.choice(species.coats)
    coat = Material(near(random, colour), round=True)
    words: tuple[str, ...] = (coat_word,)
    if word == "zebra" or (species.patterns and random.random() < 0.55):
        pattern, texture = random.choice(species.patterns)
        second = BLACK if coat_word != "black" else WHITE
        if coat_word == "orange":
            second = (150, 78, 24)
        if word in ("cow", "goat") and coat_word == "white" and random.random() < 0.4:
            second = BROWN
        coat = Material(coat.colour, near(random, second), texture, height * (1.0 if word == "zebra" else 1.3), True)
        words = (coat_word, pattern)
    elif word == "sheep":
        coat = Material(coat.colour, tint(coat.colour, 0.78), "wool", 0.7 * height, True)
    elif random.random() < 0.7:
        coat = Material(coat.colour, tint(coat.colour, 0.8), "fur", 0.8 * height, True)
    points = tint(coat.colour, random.uniform(0.55, 1.0))
    if word == "sheep":
        points = near(random, random.choice((BLACK, (210, 196, 176), (74, 64, 58))))
    return Animal(
        word=word,
        species=species,
        height=height,
        length=random.uniform(*species.length),
        trunk=random.uniform(*species.trunk),
        coat=coat,
        coat_words=words,
        points=points,
        ears=random.choice(species.ears),
        stance=random.choice(species.stances),
        neck_angle=species.neck[1] + random.uniform(-18, 14),
        head_yaw=random.gauss(0, 28),
        stride=random.uniform(14, 28),
        phase=random.uniform(0, 6.28),
    )


def animal_joints(animal: Animal, time: Number) -> tuple[dict[str, Vector], Head]:
    """Joints by ANIMAL_17 name and some more (`left_hock`, `chest`, `rump` ...), and the head."""
    h, length, radius = animal.height, animal.length * animal.height, animal.trunk * animal.height
    wide, sitting, lying = 0.62 * radius, animal.stance == "sitting", animal.stance == "lying"
    top = 0.98 * h - radius
    if lying:
        top = 1.15 * radius
    chest, rump = (0.0, top, 0.5 * length), (0.0, top, -0.5 * length)
    if sitting:
        rump = (0.0, 1.0 * radius, -0.28 * length)
        chest = (0.0, top + 0.12 * length, 0.28 * length)
    joints: dict[str, Vector] = {"chest": chest, "rump": rump}
    swing = animal.stride if animal.stance == "walking" else 3.0
    for (side, sign), shift in zip(SIDES, (0.0, 3.14), strict=True):
        beat = 2 * 3.14159 * 0.8 * time + animal.phase + shift
        front, back = swing * sin(beat), swing * sin(beat + 2.2)
        shoulder = (sign * wide, chest[1] - 0.25 * radius, chest[2] - 0.05 * length)
        hip = (sign * wide, rump[1] + 0.05 * radius, rump[2] + 0.08 * length)
        joints[f"{side}_shoulder"], joints[f"{side}_hip"] = shoulder, hip
        names = (f"{side}_elbow", f"{side}_front_paw", f"{side}_knee", f"{side}_hock", f"{side}_back_paw")
        if lying:
            places = _lying_legs(h, sign, wide, shoulder, hip)
        else:
            places = _legs(h, sign, wide, shoulder, hip, front, back, sitting)
        joints.update(zip(names, places, strict=True))
    angle, neck_length = radians(animal.neck_angle), animal.species.neck[0] * h
    base = (0.0, chest[1] + 0.35 * radius, chest[2] + 0.3 * radius)
    yaw = radians(animal.head_yaw + 8 * sin(2.5 * time + animal.phase) - 8 * sin(animal.phase))
    bent = yaw * 0.4
    end = (
        base[0] + neck_length * cos(angle) * sin(bent),
        base[1] + neck_length * sin(angle) + 0.25 * animal.species.head[0] * h,
        base[2] + neck_length * cos(angle) * cos(bent) + 0.3 * animal.species.head[0] * h,
    )
    down = radians(min(max(0.45 * animal.neck_angle - 2, -10), 30))
    forward = (sin(yaw) * cos(down), -sin(down), cos(yaw) * cos(down))
    up = (sin(yaw) * sin(down), cos(down), cos(yaw) * sin(down))
    head = Head(end, animal.species.head[0] * h, (cos(yaw), 0.0, -sin(yaw)), up, forward)
    joints["neck"] = base
    joints["tail_root"] = (0.0, rump[1] + 0.55 * radius, rump[2] - 0.85 * radius)
    return joints, head


def _legs(
    h: Number, sign: Number, wide: Number, shoulder: Vector, hip: Vector, front: Number, back: Number, sitting: bool
) -> tuple[Vector, ...]:
    """Elbow, front paw, knee, hock and back paw of a standing, walking or sitting animal; swings in degrees."""
    f, b = radians(front), radians(back)
    drop = shoulder[1]
    elbow = (sign * wide, shoulder[1] - 0.42 * drop * cos(f), shoulder[2] - 0.02 * h + 0.42 * drop * sin(f))
    lift = max(sin(f), 0.0) * 0.12 * h if abs(front) > 5 else 0.0
    paw = (sign * wide * 0.95, 0.03 * h + lift, elbow[2] + 0.55 * drop * sin(f * 0.7))
    if sitting:
        knee = (sign * wide * 1.5, hip[1] + 0.12 * h, hip[2] + 0.3 * h)
        hock = (sign * wide * 1.5, 0.05 * h, hip[2] + 0.1 * h)
        return elbow, paw, knee, hock, (sign * wide * 1.5, 0.03 * h, hip[2] + 0.36 * h)
    reach = hip[1]
    knee = (sign * wide, hip[1] - 0.42 * reach, hip[2] + 0.14 * reach + 0.42 * reach * sin(b))
    hock = (sign * wide, 0.3 * reach, hip[2] - 0.1 * reach + 0.66 * reach * sin(b))
    foot = (sign * wide, 0.03 * h + max(-sin(b), 0.0) * 0.08 * h, hip[2] + 0.9 * reach * sin(b))
    return elbow, paw, knee, hock, foot


def _lying_legs(h: Number, sign: Number, wide: Number, shoulder: Vector, hip: Vector) -> tuple[Vector, ...]:
    low = 0.05 * h
    return (
        (sign * wide * 1.3, shoulder[1] * 0.4, shoulder[2] - 0.12 * h),
        (sign * wide * 1.2, low, shoulder[2] + 0.25 * h),
        (sign * wide * 1.45, hip[1] * 0.85, hip[2] + 0.25 * h),
        (sign * wide * 1.5, low, hip[2] + 0.02 * h),
        (sign * wide * 1.4, low, hip[2] + 0.3 * h),
    )


def animal_shapes(animal: Animal, joints: dict[str, Vector], head: Head, view: Vector) -> list[Shape]:
    """All shapes of the animal; `view` is the unit vector towards the camera in the body's frame."""
    h, radius = animal.height, animal.trunk * animal.height
    chest, rump, coat = joints["chest"], joints["rump"], animal.coat
    belly, sheep = between(chest, rump, 0.5), animal.word == "sheep"
    balls: list[Ball] = [(*rump, radius * 0.95)]
    for x in (-0.25 * radius, 0.25 * radius):
        balls += [
            (x, chest[1], chest[2], radius * 0.95),
            (x, rump[1], rump[2], radius * 0.85),
            (x, belly[1] - 0.1 * radius, belly[2], radius * 0.95),
        ]
    balls.append((*chest, radius))
    shapes = [Shape("trunk", balls, coat)]
    for index in range(5 if sheep else 0):
        _, y, z = between(rump, chest, index / 4)
        wool = {f"wool-{index}": (y + 0.5 * radius, 0.62), f"wool-low-{index}": (y - 0.4 * radius, 0.66)}
        for name, (high, wide) in wool.items():
            shapes.append(Shape(name, [(0.0, high, z, wide * radius)], coat, bias=-0.01))
    neck_radius = head.radius * 0.9 if sheep else max(0.5 * radius, 0.7 * head.radius)
    base, throat = (chest[0], chest[1] + 0.25 * radius, chest[2]), head.at(0, -0.1, -0.3)
    shapes.append(capsule("neck", base, throat, radius * 0.8, neck_radius * 0.8, coat, bias=-0.02 * h))
    if animal.species.mane:
        mane = Material(tint(animal.points, 0.6) if animal.word == "horse" else BLACK)
        withers = (0.0, chest[1] + 1.0 * radius, chest[2] - 0.1 * h)
        shapes.append(capsule("mane", withers, head.at(0, 0.9, -0.5), 0.05 * h, 0.045 * h, mane, bias=-0.03 * h))
    for side, sign in SIDES:
        shapes += _leg_shapes(animal, joints, side, far=sign * view[0] < -0.3)
    if animal.species.udder and animal.stance != "lying":
        udder = (0.0, rump[1] - 0.95 * radius, rump[2] + 0.18 * h)
        shapes.append(Shape("udder", [(*udder, 0.09 * h)], Material(PINK, round=True), bias=0.02 * h))
    return shapes + _tail(animal, joints) + _head(animal, head, view)


def _leg_shapes(animal: Animal, joints: dict[str, Vector], side: str, *, far: bool) -> list[Shape]:
    """Both legs of a side; `far`: turned away from the camera, and in the body's shadow."""
    h, thick, hooves = animal.height, animal.species.leg * animal.height, animal.species.hooves
    light = 0.72 if far else 1.0
    upper = animal.coat.shaded(light)
    points = Material(animal.points, round=True).shaded(light)
    lower = Material(tint(animal.coat.colour, 0.95), round=True).shaded(light)
    if animal.word == "zebra":
        lower = upper
    elif animal.word == "sheep":
        upper = lower = points
    shoulder, elbow, paw, hip, knee, hock, foot = (
        joints[f"{side}_{n}"] for n in ("shoulder", "elbow", "front_paw", "hip", "knee", "hock", "back_paw")
    )
    shapes = [
        capsule(f"{side}_upper_front", shoulder, elbow, thick * 1.9, thick * 1.15, upper),
        capsule(f"{side}_lower_front", elbow, paw, thick * 1.1, thick * 0.85, lower),
        capsule(f"{side}_thigh", hip, knee, thick * 2.6, thick * 1.5, upper),
        capsule(f"{side}_shank", knee, hock, thick * 1.4, thick * 0.9, lower),
        capsule(f"{side}_pastern", hock, foot, thick * 0.9, thick * 0.8, lower),
    ]
    end = Material((52, 44, 40), round=True).shaded(light) if hooves else points
    for name, place in (("front", paw), ("back", foot)):
        toe = (place[0], max(place[1] - 0.005 * h, 0.02 * h), place[2] + (0.03 if hooves else 0.06) * h)
        shapes.append(capsule(f"{side}_{name}_foot", place, toe, thick * 1.0, thick * 0.9, end, bias=-0.005))
    return shapes


def _tail(animal: Animal, joints: dict[str, Vector]) -> list[Shape]:
    length, radius, angle, tuft = animal.species.tail
    h, root = animal.height, joints["tail_root"]
    a = radians(angle)
    sway = 0.25 * sin(animal.phase)
    middle = (sway * length * h * 0.5, root[1] + 0.55 * length * h * sin(a), root[2] - 0.55 * length * h * cos(a))
    b = a + 0.5 if angle > 0 else a - 0.15
    tip = (middle[0] * 2, max(middle[1] + 0.5 * length * h * sin(b), 0.03 * h), middle[2] - 0.5 * length * h * cos(b))
    material = Material(tint(animal.points, 0.6) if animal.word == "horse" else animal.coat.colour, round=True)
    shapes = [
        capsule("tail-a", root, middle, radius * h * 1.2, radius * h, material),
        capsule("tail-b", middle, tip, radius * h, radius * h * 0.8, material),
    ]
    if tuft:
        shapes.append(Shape("tuft", [(*tip, 0.05 * h)], Material(BLACK)))
    return shapes


# Places on the head, in half head heights.
EYE = (0.62, 0.32, 0.5)


def _eye_normal(head: Head, sign: Number) -> Vector:
    return head.turn((sign * 0.8, 0.2, 0.56))


def snout_tip(animal: Animal, head: Head) -> Vector:
    """The tip of the nose."""
    return head.at(0.0, -0.22, 0.6 + animal.species.head[1] / animal.species.head[0])


def _head(animal: Animal, head: Head, view: Vector) -> list[Shape]:
    species, word, shape = animal.species, animal.word, head.shape
    face = Material(animal.points if word == "sheep" else tint(animal.coat.colour, 1.03), round=True)
    muzzle = Material(tint(face.colour, 0.5 if word in ("horse", "zebra") else 1.12), round=True)
    long = species.head[1] / species.head[0]
    shapes = [
        shape("skull", [(0, 0.1, -0.05, 0.85), (0, 0.0, 0.35, 0.7)], face, -0.2),
        shape("snout", [(0, -0.12, 0.35, 0.6), (0, -0.28, 0.38 + long, 0.42)], face, -0.3),
        shape("muzzle", [(0, -0.28, 0.4 + long * 0.9, 0.45)], muzzle, -0.4),
    ]
    if dot(head.forward, view) > -0.3:
        nose = Material((220, 130, 130) if word in ("pig", "cat") else (34, 28, 28), round=True)
        radius = (0.32 if word == "pig" else 0.17) * head.radius
        shapes.append(Shape("nose", [(*snout_tip(animal, head), radius)], nose, bias=-0.6 * head.radius))
    for side, sign in SIDES:
        x, y, z = sign * EYE[0], EYE[1], EYE[2]
        if dot(_eye_normal(head, sign), view) > 0.0:
            shapes.append(shape(f"{side}_eye", [(x, y, z, 0.17)], Material((250, 246, 235)), -0.7))
            pupil = [(x * 1.04, y, z + 0.06, 0.12)]
            shapes.append(shape(f"{side}_pupil", pupil, Material((20, 16, 16)), -0.75))
        shapes.append(shape(f"{side}_ear", _ear(animal, sign), face.shaded(0.78), -0.15))
        if species.horns:
            horn = [(sign * 0.4, 0.75, -0.1, 0.15), (sign * 0.85, 1.6, -0.15, 0.05)]
            shapes.append(shape(f"{side}_horn", horn, Material((205, 192, 160)), -0.1))
    return shapes


def _ear(animal: Animal, sign: Number) -> list[Ball]:
    """In half head heights."""
    match animal.ears:
        case "pointed":
            high = 1.75 if animal.word in ("cat", "dog", "horse") else 1.4
            return [(sign * x, y, z, 0.03) for x, y, z in ((0.25, 0.7, -0.1), (0.8, 0.45, -0.15), (0.62, high, -0.1))]
        case "floppy":
            return [(sign * 0.72, 0.55, -0.15, 0.2), (sign * 0.95, -0.45, -0.05, 0.28)]
        case "side":
            return [(sign * 0.7, 0.4, -0.2, 0.16), (sign * 1.45, 0.35, -0.25, 0.13)]
        case _:
            return [(sign * 0.62, 0.85, -0.2, 0.34)]


def animal_keypoints(
    animal: Animal, joints: dict[str, Vector], head: Head
) -> dict[str, tuple[Vector, Vector | None, bool]]:
    """By ANIMAL_17 name: place, outward normal in the body's frame (None: seen from everywhere), and not covered."""
    points: dict[str, tuple[Vector, Vector | None, bool]] = {name: (joints[name], None, False) for name in joints}
    points["nose"] = (snout_tip(animal, head), head.forward, False)
    for side, sign in SIDES:
        points[f"{side}_eye"] = (head.at(sign * EYE[0], EYE[1], EYE[2]), _eye_normal(head, sign), False)
        for part in (f"{side}_shoulder", f"{side}_hip"):
            points[part] = (joints[part], (sign, 0.0, 0.0), False)
    return points
