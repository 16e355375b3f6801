"""Heads of people: their direction, and the visible parts of skull, hair, face and hat."""

from dataclasses import dataclass
from math import atan2, cos, hypot, pi, radians, sin

from gensight.puppets.bodies.people import Person
from gensight.puppets.shapes import Ball, Material, Number, Shape, Vector, capsule, ring, tint
from gensight.puppets.vectors import add, cross, dot, unit

# How far a head turns on its body, radians.
MAX_YAW, MAX_PITCH = radians(72), radians(38)


@dataclass(frozen=True)
class Head:
    """A turned head: `at` maps head coordinates (left, up, forward, in half head heights) to the body's frame."""

    centre: Vector
    radius: Number
    left: Vector
    up: Vector
    forward: Vector

    def turn(self, direction: Vector) -> Vector:
        """A head direction in the body's frame."""
        x, y, z = direction
        a, b, c = self.left, self.up, self.forward
        return (x * a[0] + y * b[0] + z * c[0], x * a[1] + y * b[1] + z * c[1], x * a[2] + y * b[2] + z * c[2])

    def at(self, x: Number, y: Number, z: Number) -> Vector:
        return add(self.centre, self.turn((x, y, z)), self.radius)


def aimed(centre: Vector, radius: Number, gaze: Vector) -> Head:
    """A head turned to the gaze as far as a neck allows; the eyes do the rest."""
    yaw = min(max(atan2(gaze[0], gaze[2]), -MAX_YAW), MAX_YAW)
    pitch = min(max(atan2(gaze[1], hypot(gaze[0], gaze[2])), -MAX_PITCH), MAX_PITCH) * 0.85
    forward = (sin(yaw) * cos(pitch), sin(pitch), cos(yaw) * cos(pitch))
    up = (-sin(yaw) * sin(pitch), cos(pitch), -cos(yaw) * sin(pitch))
    return Head(centre, radius, (cos(yaw), 0.0, -sin(yaw)), up, forward)


# Places on the head, in half head heights: (left, up, forward); the eyes and ears mirror.
EYE, NOSE, EAR = (0.33, 0.1, 0.72), (0.0, -0.14, 0.95), (0.76, 0.02, -0.05)


def _cap(
    head: Head, axis: Vector, angle: Number, view: Vector, name: str, material: Material, *, scale: Number, bias: Number
) -> Shape | None:
    """The part of a cap on the skull that is seen from `view` (unit vector in the body's frame towards the camera).

    Points on the far side move to the outline where that still lies on the cap.
    """
    axis = head.turn(axis)
    reference = head.left
    u = unit(
        (
            reference[0] - dot(reference, axis) * axis[0],
            reference[1] - dot(reference, axis) * axis[1],
            reference[2] - dot(reference, axis) * axis[2],
        )
    )
    v = cross(axis, u)
    limit = cos(angle)
    balls: list[Ball] = []
    for share, count in ((1.0, 16), (0.66, 10), (0.33, 6)):
        c, s = cos(angle * share), sin(angle * share)
        for index in range(count):
            p, q = s * cos(2 * pi * index / count), s * sin(2 * pi * index / count)
            d = (
                c * axis[0] + p * u[0] + q * v[0],
                c * axis[1] + p * u[1] + q * v[1],
                c * axis[2] + p * u[2] + q * v[2],
            )
            depth = dot(d, view)
            if depth < 0:
                flat = (d[0] - depth * view[0], d[1] - depth * view[1], d[2] - depth * view[2])
                if dot(flat, flat) < 0.1:
                    continue
                d = unit(flat)
                if dot(d, axis) < limit - 0.03:
                    continue
            # The skull is narrower than high.
            x, y, z = dot(d, head.left), dot(d, head.up), dot(d, head.forward)
            balls.append((*head.at(0.82 * scale * x, 0.12 + 0.92 * scale * y, -0.04 + 0.88 * scale * z), 0.0))
    return Shape(name, balls, material, surface="loose", bias=bias) if len(balls) > 2 else None


def head_shapes(person: Person, head: Head, view: Vector, gaze: Vector) -> list[Shape]:
    """The head and what is seen of its face.

    Args:
        person: Whose head.
        head: How it is turned.
        view: Unit vector in the body's frame towards the camera.
        gaze: Unit vector in the body's frame from the eyes to what they look at.
    """
    r, at = head.radius, head.at
    skin = Material(person.skin, round=True)
    hair = Material(person.hair, round=True)
    dark = Material(tint(person.skin, 0.72))
    shapes = [
        Shape(
            "skull",
            [(*at(0, 0.22, -0.12), 0.8 * r), (*at(0, 0.15, 0.02), 0.78 * r), (*at(0, -0.52, 0.2), 0.44 * r)],
            skin,
        )
    ]
    shapes += _hair(person, head, view, hair)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ear = at(sign * EAR[0], EAR[1], EAR[2])
        if not covers_ears(person):
            shapes.append(
                Shape(
                    f"{side}_ear",
                    [(*ear, 0.15 * r), (*at(sign * EAR[0], -0.12, -0.02), 0.1 * r)],
                    Material(tint(person.skin, 0.9)),
                    bias=-0.1 * r,
                )
            )
        normal = unit(head.turn((sign * 0.45, 0.1, 0.85)))
        if dot(normal, view) > 0.08:
            shapes += _eye(person, head, side, sign, gaze)
    shapes += _face(person, head, view, dark)
    if person.hat:
        shapes += _hat(person, head, view)
    return shapes


def covers_ears(person: Person) -> bool:
    """Whether the hair or hat hides the ears."""
    return person.hair_style in ("long", "bob") or person.hat == "beanie"


def _hair(person: Person, head: Head, view: Vector, hair: Material) -> list[Shape]:
    r, at, style = head.radius, head.at, person.hair_style
    if style == "bald":
        return []
    big = {"curly": 1.22, "short": 1.06}.get(style, 1.1)
    shapes = []
    cap = _cap(head, (0.0, 0.78, -0.62), 1.2, view, "hair", hair, scale=big, bias=-0.35 * r)
    if cap:
        shapes.append(cap)
    if style in ("long", "bob"):
        low = -1.75 if style == "long" else -0.75
        balls = [(*at(x, 0.2, -0.2), 0.45 * r) for x in (-0.5, 0.5)] + [
            (*at(x, low, -0.45), 0.22 * r) for x in (-0.5, 0.5)
        ]
        shapes.append(Shape("hair-fall", balls, hair, bias=0.15 * r))
        for name, sign in (("left", 1.0), ("right", -1.0)):
            lock = capsule(
                f"hair-{name}",
                at(sign * 0.68, 0.35, -0.12),
                at(sign * 0.74, -0.62, -0.05),
                0.26 * r,
                0.17 * r,
                hair,
                bias=-0.12 * r,
            )
            shapes.append(lock)
    elif style == "tail":
        shapes.append(capsule("hair-tail", at(0, 0.35, -1.0), at(0, -1.1, -1.25), 0.28 * r, 0.12 * r, hair))
    elif style == "bun":
        shapes.append(capsule("hair-bun", at(0, 0.85, -0.75), at(0, 0.95, -0.8), 0.38 * r, 0.36 * r, hair))
    return shapes


def _eye(person: Person, head: Head, side: str, sign: Number, gaze: Vector) -> list[Shape]:
    r, at = head.radius, head.at
    x, y, z = sign * EYE[0], EYE[1], EYE[2]
    centre = at(x, y, z)
    out = head.turn((0.16 * r, 0.0, -0.05 * r * sign))
    white = Shape(
        f"{side}_eye", ring(centre, out, head.turn((0.0, 0.12 * r, 0.0)), 8), Material((245, 245, 242)), bias=-0.7 * r
    )
    shift = (dot(gaze, head.left), dot(gaze, head.up))
    pupil_at = at(
        x + 0.09 * max(min(2.0 * shift[0], 1.0), -1.0), y + 0.05 * max(min(2.0 * shift[1], 1.0), -1.0), z + 0.02
    )
    pupil = Shape(
        f"{side}_pupil",
        ring(pupil_at, head.turn((0.085 * r, 0.0, 0.0)), head.turn((0.0, 0.095 * r, 0.0)), 8),
        Material((25, 22, 30)),
        bias=-0.75 * r,
    )
    brow = capsule(
        f"{side}_brow",
        at(x - 0.15, y + 0.24, z + 0.02),
        at(x + 0.15, y + 0.24, z + 0.02),
        0.045 * r,
        0.045 * r,
        Material(tint(person.hair, 0.7)),
        bias=-0.7 * r,
    )
    shapes = [white, pupil, brow]
    if person.glasses:
        frame = Material((30, 30, 34))
        for name, a, b in (
            ("under", (x - 0.22, y - 0.19), (x + 0.22, y - 0.19)),
            ("over", (x - 0.22, y + 0.17), (x + 0.22, y + 0.17)),
            ("out", (x + sign * 0.22, y - 0.19), (x + sign * 0.22, y + 0.17)),
        ):
            shapes.append(
                capsule(
                    f"{side}_glass-{name}", at(*a, z + 0.08), at(*b, z + 0.08), 0.03 * r, 0.03 * r, frame, bias=-0.8 * r
                )
            )
    return shapes


def _face(person: Person, head: Head, view: Vector, dark: Material) -> list[Shape]:
    r, at = head.radius, head.at
    shapes = []
    if person.beard:
        beard = Material(tint(person.hair, 0.9), round=False)
        cap = _cap(head, (0.0, -0.9, 0.44), 0.75, view, "beard", beard, scale=1.04, bias=-0.45 * r)
        if cap:
            shapes.append(cap)
    facing = dot(head.forward, view)
    if facing > -0.25:
        shapes.append(
            capsule("nose", at(0, 0.06, 0.84), at(NOSE[0], NOSE[1], NOSE[2]), 0.055 * r, 0.13 * r, dark, bias=-0.75 * r)
        )
    if facing > 0.05:
        lips = Material((165, 62, 66) if person.skin[0] > 120 else (120, 45, 48))
        shapes.append(
            capsule("mouth", at(-0.2, -0.5, 0.66), at(0.2, -0.5, 0.66), 0.065 * r, 0.065 * r, lips, bias=-0.7 * r)
        )
    return shapes


def _hat(person: Person, head: Head, view: Vector) -> list[Shape]:
    r, material = head.radius, person.hat_material
    wide = 1.25 if person.hat == "beanie" else 1.15
    crown = _cap(head, (0.0, 0.97, -0.24), wide, view, "hat", material, scale=1.18, bias=-0.8 * r)
    shapes = [crown] if crown else []
    if person.hat == "cap":
        brim = [(*head.at(x, 0.5, z), 0.04 * r) for x, z in ((-0.6, 0.55), (0.6, 0.55), (-0.42, 1.35), (0.42, 1.35))]
        below = dot(head.forward, view) > -0.3
        shapes.append(Shape("brim", brim, material.shaded(0.8), bias=-0.85 * r if below else 0.3 * r))
    return shapes


def head_keypoints(person: Person, head: Head) -> dict[str, tuple[Vector, Vector, bool]]:
    """nose, eyes and ears: (place, outward normal in the body's frame, whether hair or a hat covers it)."""
    points = {"nose": (head.at(NOSE[0], NOSE[1], NOSE[2] + 0.05), head.forward, False)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        normal = unit(head.turn((sign * 0.45, 0.1, 0.85)))
        points[f"{side}_eye"] = (head.at(sign * EYE[0], EYE[1], EYE[2]), normal, False)
        outwards = head.turn((sign, 0.0, 0.0))
        points[f"{side}_ear"] = (head.at(sign * EAR[0], EAR[1], EAR[2]), outwards, covers_ears(person))
    return points
