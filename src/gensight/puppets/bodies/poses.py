"""Poses of people: named arm and leg positions as joint angles, mixed freely and set in motion.

Angles are in degrees in the body's own frame (left, up, forward). `flex` swings a limb forward from hanging down,
`spread` swings it away from the body's middle: (0, 0) hangs down, (90, 0) points
forward, (0, 90) sideways, (0, 180) up.
"""

from dataclasses import dataclass
from math import cos, pi, radians, sin
from random import Random

from gensight.puppets.shapes import Number, Vector

Range = tuple[Number, Number]
# (upper flex, upper spread, fore flex, fore spread), each a range
ARMS: dict[str, tuple[Range, Range, Range, Range]] = {
    "down": ((-8, 12), (4, 16), (5, 30), (0, 12)),
    "hip": ((-30, -10), (38, 55), (5, 25), (-60, -42)),
    "wave": ((0, 25), (75, 115), (0, 20), (150, 190)),
    "up": ((-5, 15), (145, 172), (-5, 15), (160, 195)),
    "front": ((75, 105), (0, 20), (75, 110), (-5, 15)),
    "side": ((-5, 15), (75, 100), (-5, 15), (75, 105)),
    "bent": ((5, 30), (5, 20), (70, 115), (-25, 10)),
    "folded": ((20, 35), (10, 22), (65, 85), (-72, -55)),
    "chin": ((25, 45), (10, 25), (120, 150), (-30, -12)),
}
# Two arms and the words for it; weights add up to anything.
ARM_PAIRS: tuple[tuple[str, str, str, Number], ...] = (
    ("down", "down", "", 4.0),
    ("wave", "down", "waving", 1.5),
    ("wave", "hip", "waving", 0.7),
    ("up", "up", "with arms up", 1.5),
    ("up", "down", "with an arm up", 1.0),
    ("front", "down", "pointing", 0.8),
    ("side", "hip", "pointing", 0.5),
    ("front", "front", "with arms out", 0.5),
    ("side", "side", "with arms out", 1.0),
    ("hip", "hip", "with hands on hips", 1.0),
    ("hip", "down", "", 1.0),
    ("bent", "down", "", 1.0),
    ("bent", "bent", "", 1.0),
    ("folded", "folded", "with folded arms", 0.8),
    ("chin", "bent", "", 0.6),
    ("bent", "up", "with an arm up", 0.5),
)
STANCES = (("standing", 4.0), ("walking", 2.0), ("sitting", 1.6), ("kneeling", 0.5), ("jumping", 0.5))


@dataclass(frozen=True)
class Limb:
    """(flex, spread) of the upper and the lower segment, degrees, and how they swing."""

    upper: tuple[Number, Number]
    lower: tuple[Number, Number]
    swing: tuple[Number, Number, Number, Number] = (0.0, 0.0, 0.0, 0.0)
    phase: Number = 0.0

    def at(self, time: Number) -> tuple[Vector, Vector]:
        """Directions of both segments for the left side at a time in seconds; the right side mirrors the first."""
        s = sin(2 * pi * 0.8 * time + self.phase) - sin(self.phase)
        a, b, c, d = self.swing
        return (
            direction(self.upper[0] + a * s, self.upper[1] + b * s),
            direction(self.lower[0] + c * s, self.lower[1] + d * s),
        )


@dataclass(frozen=True)
class Pose:
    """One person's pose and motion.

    Attributes:
        stance: One of `STANCES`.
        arm_words: What the arms do, in words, or "".
        left_arm, right_arm, left_leg, right_leg: The limbs.
        lean: Forward and leftward tilt of the trunk, degrees.
        twist: Turn of the shoulders over the hips, degrees.
    """

    stance: str
    arm_words: str
    left_arm: Limb
    right_arm: Limb
    left_leg: Limb
    right_leg: Limb
    lean: tuple[Number, Number]
    twist: Number


def direction(flex: Number, spread: Number) -> Vector:
    """Unit vector (left, up, forward) of a left limb; see the module's angles."""
    f, s = radians(flex), radians(spread)
    return sin(s), -cos(s) * cos(f), cos(s) * sin(f)


def draw_pose(random: Random) -> Pose:
    """A random pose."""
    stance = random.choices([name for name, _ in STANCES], [weight for _, weight in STANCES])[0]
    left, right, words, _ = random.choices(ARM_PAIRS, [pair[3] for pair in ARM_PAIRS])[0]
    if random.random() < 0.5:
        left, right = right, left
    arms = [_arm(random, left), _arm(random, right)]
    if stance == "walking" and (left, right) == ("down", "down"):
        swing = random.uniform(18, 35)
        phase = random.uniform(0.6, 2.5) * random.choice((-1, 1))
        arms = [_walking_arm(random, swing * sin(phase)), _walking_arm(random, -swing * sin(phase))]
        legs = _legs(random, stance, -phase)
    else:
        legs = _legs(random, stance, random.uniform(0.6, 2.5) * random.choice((-1, 1)))
    lean = (random.gauss(3, 5), random.gauss(0, 4))
    return Pose(stance, words, arms[0], arms[1], legs[0], legs[1], lean, random.gauss(0, 9))


def _arm(random: Random, name: str) -> Limb:
    upper_flex, upper_spread, lower_flex, lower_spread = (random.uniform(*bounds) for bounds in ARMS[name])
    swing = (random.uniform(-6, 6), random.uniform(-6, 6), random.uniform(-8, 8), random.uniform(-14, 14))
    return Limb((upper_flex, upper_spread), (lower_flex, lower_spread), swing, random.uniform(0, 2 * pi))


def _walking_arm(random: Random, flex: Number) -> Limb:
    spread = random.uniform(5, 12)
    return Limb((flex, spread), (flex + random.uniform(10, 35), spread - 4), (8.0, 0.0, 10.0, 0.0), 0.0)


def _legs(random: Random, stance: str, phase: Number) -> tuple[Limb, Limb]:
    u = random.uniform
    if stance == "walking":
        stride = u(16, 32)
        return _stepping_leg(u(0, 4), stride * sin(phase)), _stepping_leg(u(0, 4), -stride * sin(phase))
    if stance == "sitting":
        spread, flex, shin = u(3, 16), u(78, 92), u(-12, 12)
        first = Limb((flex, spread), (shin, u(-4, 6)), (0.0, 2.0, 3.0, 0.0))
        return first, Limb((u(78, 92), u(3, 16)), (shin + u(-15, 15), u(-4, 6)), (0.0, -2.0, 3.0, 0.0))
    if stance == "kneeling":
        down = Limb((u(-5, 10), u(2, 8)), (u(-100, -85), u(-2, 4)))
        up = Limb((u(75, 90), u(3, 15)), (u(-8, 8), u(-3, 5)))
        both = Limb((u(-5, 10), u(2, 8)), (u(-100, -85), u(-2, 4)))
        pair = (down, up) if random.random() < 0.7 else (down, both)
        return pair if random.random() < 0.5 else pair[::-1]
    if stance == "jumping":
        return (
            Limb((u(-10, 50), u(5, 30)), (u(-60, 0), u(0, 20)), (10.0, 5.0, 10.0, 0.0)),
            Limb((u(-10, 50), u(5, 30)), (u(-60, 0), u(0, 20)), (-10.0, 5.0, 10.0, 0.0)),
        )
    spread, bend = u(1, 12), abs(random.gauss(0, 5))
    return (
        Limb((bend, spread), (-bend, spread * 0.8)),
        Limb((u(0, 12), u(1, 12)), (-u(0, 12), u(0, 8))),
    )


def _stepping_leg(spread: Number, flex: Number) -> Limb:
    bend = 6 + (18 if flex < 0 else 4)
    return Limb((flex, spread), (flex - bend, spread * 0.5), (12.0 if flex > 0 else -12.0, 0.0, 12.0, 0.0), 0.0)
