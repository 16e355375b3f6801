"""Heads: their direction; and of people the visible parts of skull, hair, face and hat."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, pi, radians, sin

from gensight.puppets.bodies.people import Person
from gensight.puppets.shapes import Ball, Material, Number, Shape, Vector, ring, tint
from gensight.puppets.vectors import SIDES, add, combine, cross, dot, unit

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
        return combine(direction, (self.left, self.up, self.forward))

    def at(self, x: Number, y: Number, z: Number) -> Vector:
        return add(self.centre, self.turn((x, y, z)), self.radius)

    def shape(self, name: str, balls: Sequence[Ball], material: Material, bias: Number = 0.0) -> Shape:
        """A shape whose balls, and bias, are given in half head heights."""
        placed = [(*self.at(x, y, z), radius * self.radius) for x, y, z, radius in balls]
        return Shape(name, placed, material, bias=bias * self.radius)


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
) -> list[Shape]:
    """The part of a cap on the skull that is seen from `view` (unit vector in the body's frame towards the camera).

    Points on the far side move to the outline where that still lies on the cap. Nothing, where too few are seen.
    """
    axis = head.turn(axis)
    u = unit(add(head.left, axis, -dot(head.left, axis)))
    axes = (axis, u, cross(axis, u))
    balls: list[Ball] = []
    for share, count in ((1.0, 16), (0.66, 10), (0.33, 6)):
        c, s = cos(angle * share), sin(angle * share)
        for index in range(count):
            d = combine((c, s * cos(2 * pi * index / count), s * sin(2 * pi * index / count)), axes)
            depth = dot(d, view)
            if depth < 0:
                flat = add(d, view, -depth)
                d = unit(flat)
                if dot(flat, flat) < 0.1 or dot(d, axis) < cos(angle) - 0.03:
                    continue
            # The skull is narrower than high.
            x, y, z = dot(d, head.left), dot(d, head.up), dot(d, head.forward)
            balls.append((*head.at(0.82 * scale * x, 0.12 + 0.92 * scale * y, -0.04 + 0.88 * scale * z), 0.0))
    return [Shape(name, balls, material, surface="loose", bias=bias * head.radius)] if len(balls) > 2 else []


def _eye_normal(head: Head, sign: Number) -> Vector:
    return unit(head.turn((sign * 0.45, 0.1, 0.85)))


def head_shapes(person: Person, head: Head, view: Vector, gaze: Vector) -> list[Shape]:
    """The head and what is seen of its face.

    Args:
        person: Whose head.
        head: How it is turned.
        view: Unit vector in the body's frame towards the camera.
        gaze: Unit vector in the body's frame from the eyes to what they look at.
    """
    skull = [(0, 0.22, -0.12, 0.8), (0, 0.15, 0.02, 0.78), (0, -0.52, 0.2, 0.44)]
    shapes = [head.shape("skull", skull, Material(person.skin, round=True)), *_hair(person, head, view)]
    for side, sign in SIDES:
        if not covers_ears(person):
            ear = [(sign * EAR[0], EAR[1], EAR[2], 0.15), (sign * EAR[0], -0.12, -0.02, 0.1)]
            shapes.append(head.shape(f"{side}_ear", ear, Material(tint(person.skin, 0.9)), -0.1))
        if dot(_eye_normal(head, sign), view) > 0.08:
            shapes += _eye(person, head, side, sign, gaze)
    return shapes + _face(person, head, view) + _hat(person, head, view)


def covers_ears(person: Person) -> bool:
    """Whether the hair or hat hides the ears."""
    return person.hair_style in ("long", "bob") or person.hat == "beanie"


def _hair(person: Person, head: Head, view: Vector) -> list[Shape]:
    style, hair = person.hair_style, Material(person.hair, round=True)
    if style == "bald":
        return []
    big = {"curly": 1.22, "short": 1.06}.get(style, 1.1)
    shapes = _cap(head, (0.0, 0.78, -0.62), 1.2, view, "hair", hair, scale=big, bias=-0.35)
    if style in ("long", "bob"):
        low = -1.75 if style == "long" else -0.75
        fall = [(-0.5, 0.2, -0.2, 0.45), (0.5, 0.2, -0.2, 0.45), (-0.5, low, -0.45, 0.22), (0.5, low, -0.45, 0.22)]
        shapes.append(head.shape("hair-fall", fall, hair, 0.15))
        for side, sign in SIDES:
            lock = [(sign * 0.68, 0.35, -0.12, 0.26), (sign * 0.74, -0.62, -0.05, 0.17)]
            shapes.append(head.shape(f"hair-{side}", lock, hair, -0.12))
    elif style == "tail":
        shapes.append(head.shape("hair-tail", [(0, 0.35, -1.0, 0.28), (0, -1.1, -1.25, 0.12)], hair))
    elif style == "bun":
        shapes.append(head.shape("hair-bun", [(0, 0.85, -0.75, 0.38), (0, 0.95, -0.8, 0.36)], hair))
    return shapes


def _eye(person: Person, head: Head, side: str, sign: Number, gaze: Vector) -> list[Shape]:
    r, turn = head.radius, head.turn
    x, y, z = sign * EYE[0], EYE[1], EYE[2]
    white = ring(head.at(x, y, z), turn((0.16 * r, 0.0, -0.05 * r * sign)), turn((0.0, 0.12 * r, 0.0)), 8)
    right = 0.09 * max(min(2.0 * dot(gaze, head.left), 1.0), -1.0)
    up = 0.05 * max(min(2.0 * dot(gaze, head.up), 1.0), -1.0)
    pupil = ring(head.at(x + right, y + up, z + 0.02), turn((0.085 * r, 0.0, 0.0)), turn((0.0, 0.095 * r, 0.0)), 8)
    brow = [(x - 0.15, y + 0.24, z + 0.02, 0.045), (x + 0.15, y + 0.24, z + 0.02, 0.045)]
    shapes = [
        Shape(f"{side}_eye", white, Material((245, 245, 242)), bias=-0.7 * r),
        Shape(f"{side}_pupil", pupil, Material((25, 22, 30)), bias=-0.75 * r),
        head.shape(f"{side}_brow", brow, Material(tint(person.hair, 0.7)), -0.7),
    ]
    if person.glasses:
        for name, a, b in (
            ("under", (x - 0.22, y - 0.19), (x + 0.22, y - 0.19)),
            ("over", (x - 0.22, y + 0.17), (x + 0.22, y + 0.17)),
            ("out", (x + sign * 0.22, y - 0.19), (x + sign * 0.22, y + 0.17)),
        ):
            bar = [(*end, z + 0.08, 0.03) for end in (a, b)]
            shapes.append(head.shape(f"{side}_glass-{name}", bar, Material((30, 30, 34)), -0.8))
    return shapes


def _face(person: Person, head: Head, view: Vector) -> list[Shape]:
    shapes = []
    if person.beard:
        beard = Material(tint(person.hair, 0.9))
        shapes += _cap(head, (0.0, -0.9, 0.44), 0.75, view, "beard", beard, scale=1.04, bias=-0.45)
    facing = dot(head.forward, view)
    if facing > -0.25:
        nose = [(0, 0.06, 0.84, 0.055), (*NOSE, 0.13)]
        shapes.append(head.shape("nose", nose, Material(tint(person.skin, 0.72)), -0.75))
    if facing > 0.05:
        lips = Material((165, 62, 66) if person.skin[0] > 120 else (120, 45, 48))
        shapes.append(head.shape("mouth", [(-0.2, -0.5, 0.66, 0.065), (0.2, -0.5, 0.66, 0.065)], lips, -0.7))
    return shapes


def _hat(person: Person, head: Head, view: Vector) -> list[Shape]:
    if not person.hat:
        return []
    material, wide = person.hat_material, 1.25 if person.hat == "beanie" else 1.15
    shapes = _cap(head, (0.0, 0.97, -0.24), wide, view, "hat", material, scale=1.18, bias=-0.8)
    if person.hat == "cap":
        brim = [(x, 0.5, z, 0.04) for x, z in ((-0.6, 0.55), (0.6, 0.55), (-0.42, 1.35), (0.42, 1.35))]
        below = dot(head.forward, view) > -0.3
        shapes.append(head.shape("brim", brim, material.shaded(0.8), -0.85 if below else 0.3))
    return shapes


def head_keypoints(person: Person, head: Head) -> dict[str, tuple[Vector, Vector | None, bool]]:
    """nose, eyes and ears: (place, outward normal in the body's frame, whether hair or a hat covers it)."""
    points: dict[str, tuple[Vector, Vector | None, bool]] = {}
    points["nose"] = (head.at(NOSE[0], NOSE[1], NOSE[2] + 0.05), head.forward, False)
    for side, sign in SIDES:
        points[f"{side}_eye"] = (head.at(sign * EYE[0], EYE[1], EYE[2]), _eye_normal(head, sign), False)
        outwards = head.turn((sign, 0.0, 0.0))
        points[f"{side}_ear"] = (head.at(sign * EAR[0], EAR[1], EAR[2]), outwards, covers_ears(person))
    return points
