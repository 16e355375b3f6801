"""The primitives of puppets scenes: convex hulls of balls, in metres.

World axes: x points right, y up, z away from the camera; the ground is y = 0. A body part, a face of a table and the
floor are all a `Shape`: the convex hull of a few balls (radius 0 for the corners of flat things).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import cos, pi, sin
from typing import Literal, NamedTuple

import numpy as np

from gensight.samples import Array

# Whole numbers are written without a decimal point where they are lengths, angles or colours.
Number = float | int
Vector = tuple[Number, Number, Number]
Ball = tuple[Number, Number, Number, Number]
Colour = tuple[Number, Number, Number]

# Painting order: a lower layer is painted first; within one, farther things are painted first.
GROUND, WALL, DECOR, SOLID = 0, 1, 2, 3


class Material(NamedTuple):
    """How a shape is painted.

    Attributes:
        colour: RGB in [0, 255].
        second: The pattern's other colour, or None where it is plain.
        texture: Name of a tile in `textures`, or None where it is plain.
        tile: Side of one texture tile in metres.
        round: Whether it is shaded as a rounded thing.
    """

    colour: Colour
    second: Colour | None = None
    texture: str | None = None
    tile: Number = 0.5
    round: bool = False

    def shaded(self, factor: Number) -> "Material":
        """The same material in more (factor > 1) or less light."""
        second = None if self.second is None else tint(self.second, factor)
        return self._replace(colour=tint(self.colour, factor), second=second)


def tint(colour: Colour, factor: Number) -> Colour:
    """A colour made brighter or darker, kept in [0, 255]."""
    red, green, blue = colour
    return min(red * factor, 255.0), min(green * factor, 255.0), min(blue * factor, 255.0)


@dataclass(slots=True)
class Shape:
    """One painted piece.

    Attributes:
        name: Unique within its entity and stable over the frames of a scene.
        balls: (x, y, z, radius) in metres, in the entity's own frame. Flat shapes list their corners in order.
        material: Its paint.
        layer: One of GROUND, WALL, DECOR, SOLID.
        surface: `axis` (paint runs along the first to the last ball), `plane` (a flat polygon seen in perspective), or
            `loose` (its balls change with the view, so no point on it can be followed over frames).
        bias: Metres added to its distance when the painting order is found; negative paints it later.
        slide: Metres by which the paint is moved sideways: how far a round body has turned.
        one_sided: A flat shape that is seen only from the side on which its corners run clockwise.
    """

    name: str
    balls: list[Ball]
    material: Material
    layer: int = SOLID
    surface: Literal["axis", "plane", "loose"] = "axis"
    bias: Number = 0.0
    slide: Number = 0.0
    one_sided: bool = False


@dataclass(slots=True)
class Entity:
    """A subject, an object or the surroundings: shapes with one placement in the world.

    Attributes:
        name: Its name in captions and in the truths, for example `person` or `table`.
        shapes: In the entity's own frame.
        position: Origin in the world, metres.
        axes: float64 (3, 3): rows are the entity's own axes in the world.
        whole: Painted as one thing: all its shapes take the distance of its origin in the painting order.
    """

    name: str
    shapes: list[Shape] = field(default_factory=list)
    position: Vector = (0.0, 0.0, 0.0)
    axes: Array = field(default_factory=lambda: np.eye(3))
    whole: bool = False


def turned(yaw: Number) -> Array:
    """Axes (left, up, forward) of a body that faces the camera at yaw 0 and image right at yaw 90 degrees (radians)."""
    return np.array([[cos(yaw), 0.0, sin(yaw)], [0.0, 1.0, 0.0], [sin(yaw), 0.0, -cos(yaw)]])


def capsule(
    name: str, a: Vector, b: Vector, radius_a: Number, radius_b: Number, material: Material, bias: Number = 0.0
) -> Shape:
    """A limb: two balls and what lies between them."""
    return Shape(name, [(*a, radius_a), (*b, radius_b)], material, bias=bias)


def ring(centre: Vector, u: Vector, v: Vector, num_points: int = 10) -> list[Ball]:
    """Points of the ellipse centre + u cos t + v sin t."""
    angles = [2 * pi * index / num_points for index in range(num_points)]
    points = [[m + cos(t) * a + sin(t) * b for m, a, b in zip(centre, u, v, strict=True)] for t in angles]
    return [(x, y, z, 0.0) for x, y, z in points]


def rim(radius: Number, height: Number, thickness: Number = 0.0) -> list[Ball]:
    """Balls of this radius along a level circle around the origin."""
    return [(x, height, z, thickness) for x, _, z, _ in ring((0, 0, 0), (radius, 0, 0), (0, 0, radius))]


def flat(
    name: str,
    corners: Iterable[Vector],
    material: Material,
    *,
    layer: int = SOLID,
    bias: Number = 0.0,
    one_sided: bool = False,
) -> Shape:
    """A flat convex polygon."""
    balls = [(x, y, z, 0.0) for x, y, z in corners]
    return Shape(name, balls, material, layer=layer, surface="plane", bias=bias, one_sided=one_sided)


def rectangle(x: tuple[Number, Number], y: tuple[Number, Number], z: Number = 0.0) -> list[Vector]:
    """Corners of an upright rectangle at depth z that faces -z, from two ranges."""
    return [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]


def box(name: str, centre: Vector, size: Vector, material: Material) -> list[Shape]:
    """The five faces of an upright box that can be seen from above the ground; size is (x, y, z) extent."""
    (x, y, z), (w, h, d) = centre, (size[0] / 2, size[1] / 2, size[2] / 2)
    x0, x1, y0, y1, z0, z1 = x - w, x + w, y - h, y + h, z - d, z + d
    faces = {
        "front": (((x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)), 0.95),
        "back": (((x1, y0, z1), (x0, y0, z1), (x0, y1, z1), (x1, y1, z1)), 0.85),
        "left": (((x0, y0, z1), (x0, y0, z0), (x0, y1, z0), (x0, y1, z1)), 0.75),
        "right": (((x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)), 0.65),
        "top": (((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)), 1.12),
        "bottom": (((x0, y0, z1), (x1, y0, z1), (x1, y0, z0), (x0, y0, z0)), 0.5),
    }
    return [
        flat(f"{name}-{side}", corners, material.shaded(light), one_sided=True)
        for side, (corners, light) in faces.items()
    ]
