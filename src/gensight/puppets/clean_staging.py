"""The `clean` style: one subject, sometimes more, each whole in the frame, sharp and evenly lit, over few things.

Camera faults (blur, grain, spots of light) and cropped or tiny figures are left to augmentation and to the `full`
style.
"""

from dataclasses import dataclass, replace
from math import atan
from random import Random

import numpy as np

from gensight.puppets.camera import Camera, look
from gensight.puppets.scenery import objects
from gensight.puppets.scenery.objects import Things
from gensight.puppets.scenery.surroundings import outdoors, room
from gensight.puppets.scenes import Lens, Light, Scene, Subject, body_at
from gensight.puppets.shapes import Number
from gensight.puppets.staging import aim_gazes, apart, clear, draw_drift, draw_subject, room_for, seat_height
from gensight.samples import Array

MARGIN = 0.03  # share of the image's shorter side that stays free around every subject
HEIGHTS_ALONE, HEIGHTS_TOGETHER = (0.55, 0.93), (0.55, 0.8)  # of the main subject, as shares of the shorter side
MOST_WIDTH = 0.92
LEAST_OTHER_HEIGHT = 0.42
ANOTHER = 0.25  # chance of each further subject
OCCLUDER = 0.06  # chance that something low stands in front of a subject
_TRIES = 10


def draw_clean_scene(seed: int, index: int, kinds: str = "all", num_subjects: tuple[int, int] = (1, 3)) -> Scene:
    """The scene of a seed and an index; the arguments are those of `staging.draw_scene`.

    The number of subjects is the fewest, and each further one, up to the most, comes with chance `ANOTHER`.
    """
    random = Random(f"puppets clean {seed} {index}")
    fewest, most = num_subjects
    count = fewest
    while count < most and (count == 0 or random.random() < ANOTHER):
        count += 1
    camera, subjects = _subjects(random, kinds, count)
    indoors = random.random() < (0.5 if any(subject.person for subject in subjects) else 0.25)
    things = _things(random, subjects, indoors, camera)
    spots = [(s.x, s.z) for s in subjects] + things.spots
    place = room(random, spots or [(0.0, 3.0)]) if indoors else outdoors(random)
    light, drift = _light(random), draw_drift(random)
    scene = Scene(place, things.entities, things.words, subjects, camera, drift, light, random.getrandbits(32))
    aim_gazes(random, scene)
    return scene


@dataclass(frozen=True)
class _Frame:
    """What an upright rectangle around a subject spans, in shares of the image's shorter side, from its middle."""

    left: Number
    right: Number
    top: Number
    bottom: Number

    @property
    def wide(self) -> Number:
        return self.right - self.left

    @property
    def high(self) -> Number:
        return self.bottom - self.top

    @property
    def inside(self) -> bool:
        limit = 0.5 - 0.5 * MARGIN
        return min(self.left, self.top) > -limit and max(self.right, self.bottom) < limit

    def overlap(self, other: "_Frame") -> Number:
        """Common width as a share of the narrower one's."""
        common = min(self.right, other.right) - max(self.left, other.left)
        return common / min(self.wide, other.wide)


def _balls(subject: Subject) -> tuple[Array, Array]:
    """Balls that hold a subject that stands at the origin: float64 (n, 3) world places and (n,) radii, metres."""
    body = body_at(replace(subject, x=0.0, z=0.0), 0.0)
    places = list(body.joints.values())
    if subject.person is not None:
        height = subject.person.height
        radii = [0.06 * height * subject.person.build] * len(places)
        radii[list(body.joints).index("head")] = 1.35 * (0.5 * subject.person.head * height)  # with hair and hats
    else:
        animal, head = subject.animal, body.head
        assert animal is not None
        assert head is not None
        height, half = animal.height, head.radius
        thick = {"chest": animal.trunk * height, "rump": animal.trunk * height, "neck": 1.2 * half}
        radii = [thick.get(name, 0.09 * height) for name in body.joints]
        snout = np.add(head.centre, np.multiply(head.forward, animal.species.head[1] * height + 0.5 * half))
        length, angle = animal.species.tail[0], np.radians(animal.species.tail[2])
        x, y, z = body.joints["tail_root"]
        tail = (x, max(y + 0.8 * length * height * np.sin(angle), 0.0), z - length * height * np.cos(angle))
        places += [head.centre, tuple(snout), tail]
        radii += [1.9 * half, 0.8 * half, 0.12 * height]  # with ears and horns
    return np.array(places) @ body.axes, np.array(radii)


def _frame(balls: tuple[Array, Array], x: Number, z: Number, camera: Camera) -> _Frame | None:
    """The rectangle around balls moved to (x, z); None where one is behind the camera."""
    places, radii = balls
    right, up, depth = camera.world_to_camera(places + np.array([x, 0.0, z])).T
    if depth.min() < 0.3:
        return None
    unit = camera.focal / depth
    across, down, reach = right * unit, -up * unit, radii * unit
    ends = (across - reach).min(), (across + reach).max(), (down - reach).min(), (down + reach).max()
    return _Frame(*map(float, ends))


def _subjects(random: Random, kinds: str, count: int) -> tuple[Lens, list[Subject]]:
    if not count:
        return (0.0, 1.4, 0.0, 0.0, -0.1, random.gauss(0, 0.02), random.uniform(0.95, 1.6)), []
    for _ in range(_TRIES):
        lens, main, inside = _framed(random, _whole_subject(random, kinds), alone=count == 1)
        if inside:
            break
    subjects = [main]
    for _ in range(count - 1):
        _join(random, kinds, subjects, look(*lens))
    return lens, subjects


def _framed(random: Random, main: Subject, *, alone: bool) -> tuple[Lens, Subject, bool]:
    """A camera and a place for the main subject, and whether it is whole in the frame."""
    focal, roll = random.uniform(0.95, 1.6), random.gauss(0, 0.02)
    balls = _balls(main)
    share = random.uniform(*(HEIGHTS_ALONE if alone else HEIGHTS_TOGETHER))
    across, down = random.uniform(-0.5, 0.5) * (0.6 if alone else 1.0), random.uniform(-0.5, 0.5)
    top, reach = float(balls[0][:, 1].max()), float(np.hypot(balls[0][:, 0], balls[0][:, 2]).max())
    distance, x, pitch = focal * max(top, reach) / share + reach, 0.0, 0.0
    height = max(random.uniform(0.35, 1.15) * top, 0.15)
    for _ in range(5):
        frame = _frame(balls, x, distance, look(0.0, height, 0.0, 0.0, pitch, roll, focal))
        if frame is None:
            break
        nearest = distance - reach  # what lies nearest grows and shrinks the most
        distance += nearest * (max(frame.high / share, frame.wide / MOST_WIDTH) - 1)
        middle = down * max(1 - 2 * MARGIN - frame.high, 0.0)
        pitch += atan((middle - (frame.top + frame.bottom) / 2) / focal)
        middle = across * max(1 - 2 * MARGIN - frame.wide, 0.0)
        x += (middle - (frame.left + frame.right) / 2) * distance / focal
    frame = _frame(balls, x, distance, look(0.0, height, 0.0, 0.0, pitch, roll, focal))
    lens: Lens = (0.0, height, 0.0, 0.0, pitch, roll, focal)
    return lens, replace(main, x=x, z=distance), frame is not None and frame.inside


def _whole_subject(random: Random, kinds: str) -> Subject:
    """A subject; of `all`, people and animals in equal parts."""
    kind = kinds if kinds != "all" else random.choice(("people", "animals"))
    return draw_subject(random, kind)


def _join(random: Random, kinds: str, subjects: list[Subject], camera: Camera) -> None:
    """Adds a subject beside the others, if a place is found where it is whole and hides little of them."""
    other = _whole_subject(random, kinds)
    balls = _balls(other)
    taken = [_frame(_balls(s), s.x, s.z, camera) for s in subjects]
    for _ in range(_TRIES):
        z = subjects[0].z * random.uniform(0.9, 1.8)
        x = random.uniform(-0.45, 0.45) * z / camera.focal
        frame = _frame(balls, x, z, camera)
        placed = replace(other, x=x, z=z)
        if (
            frame is not None
            and frame.inside
            and frame.high > LEAST_OTHER_HEIGHT
            and all(before is None or frame.overlap(before) < 0.3 for before in taken)
            and all(apart(placed, s) for s in subjects)
        ):
            subjects.append(placed)
            return


def _things(random: Random, subjects: list[Subject], indoors: bool, camera: Lens) -> Things:
    """Seats under those who sit, a few things beside and behind them, and now and then a low one in front."""
    things = Things(random)
    for subject in subjects:
        if seat := seat_height(subject):
            things.put(objects.stool, subject.x, subject.z, subject.yaw, seat)
    nearest = min((subject.z for subject in subjects), default=3.0)
    if subjects and subjects[0].height > 1.0 and random.random() < OCCLUDER:
        subject = subjects[0]
        z = nearest - random.uniform(0.3, 0.6) - room_for(subject)
        if z > 1.2:
            x = subject.x * z / subject.z + random.choice((-1, 1)) * random.uniform(0.3, 0.5)
            things.put(random.choice((objects.ball, objects.crate)), x, z, random.gauss(0, 0.4))
    for _ in range(random.choice((0, 1, 1, 2, 2, 3))):
        builder = random.choice(objects.INDOORS if indoors else (*objects.OUTDOORS, objects.tree, objects.house))
        z = nearest * random.uniform(1.0, 1.9) + random.uniform(0.4, 2.0)
        if builder in (objects.tree, objects.house):
            z += random.uniform(3.0, 12.0) + (12.0 if builder is objects.house else 0.0)
        x = random.uniform(-0.55, 0.55) * z / camera[6]
        if clear(subjects, x, z):
            things.put(builder, x, z, random.gauss(0, 0.6))
    return things


def _light(random: Random) -> Light:
    """Even light: only exposure and colour change a little."""
    return Light(
        slope=(0.0, 0.0),
        spot=(0.5, 0.5, 1.0, 0.0),
        cast=(random.gauss(0.985, 0.02), random.gauss(0.985, 0.012), random.gauss(0.985, 0.02)),
        gamma=min(max(random.gauss(1.0, 0.06), 0.85), 1.15),
        contrast=random.uniform(0.95, 1.08),
        noise=0.0,
        blur=0.0,
        grain=(0, 0),
    )
