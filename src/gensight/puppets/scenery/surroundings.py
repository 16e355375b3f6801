"""Where a scene takes place: a room with floor, walls and ceiling, or the outdoors with ground, hills and sky."""

from dataclasses import dataclass
from math import cos, sin
from random import Random
from typing import NamedTuple

from gensight.puppets.scenery.palette import COLOURS, named, near
from gensight.puppets.shapes import (
    DECOR,
    GROUND,
    WALL,
    Colour,
    Entity,
    Material,
    Number,
    Shape,
    Vector,
    flat,
    rectangle,
    tint,
)

# caption words, colours of the two sides of the pattern, texture, metres per tile
_Ground = tuple[tuple[str, ...], tuple[Colour, Colour], str, tuple[Number, Number]]
_FLOORS: tuple[_Ground, ...] = (
    (("a", "wooden", "floor"), ((176, 124, 76), (112, 74, 44)), "planks", (0.8, 1.6)),
    (("a", "tiled", "floor"), ((214, 208, 196), (130, 124, 116)), "tiles", (1.2, 2.4)),
    (("a", "checked", "floor"), ((236, 232, 222), (62, 60, 66)), "chessboard", (1.4, 2.6)),
    (("a", "marble", "floor"), ((226, 222, 216), (158, 150, 146)), "marble", (2.0, 3.5)),
)
_GROUNDS: tuple[_Ground, ...] = (
    (("grass",), ((96, 140, 62), (58, 98, 40)), "grass", (1.5, 3.0)),
    (("grass",), ((126, 150, 70), (82, 118, 46)), "grass", (1.5, 3.0)),
    (("sand",), ((226, 202, 150), (192, 164, 112)), "sand", (1.5, 3.0)),
    (("snow",), ((244, 246, 250), (196, 206, 222)), "snow", (4.0, 8.0)),
    (("a", "road"), ((126, 126, 128), (88, 88, 92)), "pavement", (2.0, 4.0)),
    (("a", "brick", "path"), ((172, 104, 82), (196, 184, 170)), "bricks", (1.0, 2.0)),
    (("dirt",), ((150, 112, 78), (108, 76, 50)), "plaster", (2.0, 4.0)),
)
_WALL_TEXTURES = (
    (None, 1.0), ("plaster", 2.5), ("stripes", 1.2), ("wallpaper", 1.0), ("bricks", 1.6), ("rows", 2.0), ("dots", 1.2),
    ("wood", 1.2),
)  # fmt: skip


@dataclass(frozen=True)
class Sky:
    """Colours from the zenith to the horizon, and how cloudy it is (0 to 1); `shift` moves the clouds."""

    top: Colour
    bottom: Colour
    clouds: Number
    shift: tuple[int, int]


@dataclass(frozen=True)
class Place:
    """The surroundings.

    Attributes:
        indoors: Whether it is a room.
        words: What one stands on, for captions.
        backdrop: Words for the walls or the sky, without an article.
        entity: Ground, walls and what hangs on them.
        sky: Outdoors.
        fill: Colour behind everything.
    """

    indoors: bool
    words: tuple[str, ...]
    backdrop: tuple[str, ...]
    entity: Entity
    sky: Sky | None
    fill: Colour


class _Wall(NamedTuple):
    """An upright plane: its directions along and out of it, and how far out it stands."""

    along: tuple[Number, Number]
    out: tuple[Number, Number]
    distance: Number

    def panel(self, x: tuple[Number, Number], y: tuple[Number, Number], step: Number = 0.0) -> list[Vector]:
        """Corners of an upright rectangle, from its ranges along the wall and up, a step in front of the wall."""
        distance, (m, n) = self.distance - step, (self.along, self.out)
        return [(a * m[0] + distance * n[0], high, a * m[1] + distance * n[1]) for a, high, _ in rectangle(x, y)]


def _ground(random: Random, colours: tuple[Colour, Colour], texture: str, tile: Number) -> Shape:
    material = Material(near(random, colours[0], 18), near(random, colours[1], 18), texture, tile)
    turn = random.uniform(-1.2, 1.2)
    # The pattern runs along the first side: a turned square, large enough to reach the horizon.
    axes = ((cos(turn), sin(turn)), (-sin(turn), cos(turn)))
    corners = [
        (300 * (a * axes[0][0] + b * axes[1][0]), 0.0, 300 * (a * axes[0][1] + b * axes[1][1]))
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    return flat("ground", corners, material, layer=GROUND)


def room(random: Random, spots: list[tuple[Number, Number]]) -> Place:
    """A room around the camera at (0, 0) and the places (x, z) where things stand."""
    words, colours, texture, tile = random.choice(_FLOORS)
    if random.random() < 0.25:
        name = random.choice(list(COLOURS))
        words, texture, tile = ("a", name, "carpet"), "carpet", (0.8, 1.6)
        first = named(random, name)
        colours = (first, (first[0] * 0.78, first[1] * 0.78, first[2] * 0.78))
    yaw = random.uniform(-0.6, 0.6)
    n, m = (sin(yaw), cos(yaw)), (cos(yaw), -sin(yaw))
    inside = [*spots, (0.0, 0.5)]
    far = max(x * n[0] + z * n[1] for x, z in inside) + random.uniform(0.7, 3.5)
    side = random.choice((-1.0, 1.0, 0.0))
    beside = max(side * (x * m[0] + z * m[1]) for x, z in inside) + random.uniform(0.7, 2.0) if side else 40.0
    high = random.uniform(2.6, 3.4)
    wall_name = random.choice(list(COLOURS))
    wall, plane = _wall(random, wall_name), _Wall(m, n, far)
    span = (-40.0, beside) if side >= 0 else (-beside, 40.0)
    shapes = [_ground(random, colours, texture, random.uniform(*tile))]
    ceiling = [(-60, high, -60), (60, high, -60), (60, high, 60), (-60, high, 60)]
    shapes.append(flat("ceiling", ceiling, Material(near(random, (228, 226, 220), 14)), layer=GROUND))
    shapes.append(flat("wall", plane.panel(span, (0, high)), wall, layer=WALL))
    board = Material(near(random, random.choice(((236, 234, 228), (92, 62, 40)))))
    shapes.append(flat("board", plane.panel(span, (0, 0.1), 0.01), board, layer=DECOR))
    if side:
        # Along the side wall one looks at its own plane: the directions of the far wall, swapped.
        corners = _Wall(n, m, side * beside).panel((far, -20.0) if side > 0 else (-20.0, far), (0, high))
        shapes.append(flat("side-wall", corners, wall.shaded(random.uniform(0.72, 0.9)), layer=WALL))
    middle = sum(x * m[0] + z * m[1] for x, z in spots) / len(spots)
    shapes += _hangings(random, _Wall(m, n, far - 0.02), middle, span, high)
    if random.random() < 0.35:
        shapes.append(_rug(random, *random.choice(spots)))
    return Place(True, words, (wall_name, "wall"), Entity("place", shapes), None, wall.colour)


def _wall(random: Random, name: str) -> Material:
    colour = named(random, name)
    pale = random.random() < 0.6
    if pale:
        colour = (150 + colour[0] * 0.4, 150 + colour[1] * 0.4, 150 + colour[2] * 0.4)
    texture, tile = random.choice(_WALL_TEXTURES)
    if texture is None:
        return Material(colour)
    return Material(colour, tint(colour, random.choice((0.75, 0.85, 1.2))), texture, tile)


def _two_colours(random: Random, textures: tuple[str, ...], tile: tuple[Number, Number]) -> Material:
    return Material(
        named(random, random.choice(list(COLOURS))),
        named(random, random.choice(list(COLOURS))),
        random.choice(textures),
        random.uniform(*tile),
    )


def _hangings(
    random: Random, wall: _Wall, middle: Number, bounds: tuple[Number, Number], ceiling: Number
) -> list[Shape]:
    """Windows, doors and pictures on the far wall, between its bounds."""
    shapes: list[Shape] = []
    position = middle + random.uniform(-3.0, -1.5)
    for index in range(random.randint(0, 4)):
        kind = random.choice(("window", "picture", "picture", "door"))
        w = {"window": random.uniform(0.8, 1.6), "picture": random.uniform(0.4, 0.9), "door": 0.9}[kind]
        low, top = {"window": (0.9, 2.1), "picture": (1.2, random.uniform(1.6, 2.0)), "door": (0.0, 2.05)}[kind]
        x0, x1 = position, position + w
        position = x1 + random.uniform(0.2, 1.2)
        if x0 < bounds[0] + 0.2 or x1 > bounds[1] - 0.2 or top > ceiling - 0.1:
            continue
        frame = Material(near(random, random.choice(((240, 240, 236), (96, 64, 42), (40, 40, 44)))))
        inner = {
            "window": Material(near(random, (168, 206, 236)), near(random, (226, 238, 246)), "clouds", 2.0),
            "picture": _two_colours(random, ("patches", "checks", "dots", "zebra", "blots"), (0.3, 0.9)),
            "door": Material(near(random, (134, 92, 58)), near(random, (110, 74, 46)), "wood", 1.0),
        }[kind]
        outline = wall.panel((x0 - 0.06, x1 + 0.06), (max(low - 0.06, 0.0), top + 0.06))
        shapes.append(flat(f"{kind}-frame-{index}", outline, frame, layer=DECOR))
        pane = wall.panel((x0, x1), (max(low, 0.0), top), 0.01)
        shapes.append(flat(f"{kind}-inner-{index}", pane, inner, layer=DECOR, bias=-0.01))
        if kind == "window":
            mid = (x0 + x1) / 2
            bar = wall.panel((mid - 0.03, mid + 0.03), (low, top), 0.015)
            shapes.append(flat(f"bar-{index}", bar, frame, layer=DECOR, bias=-0.02))
    return shapes


def _rug(random: Random, x: Number, z: Number) -> Shape:
    w, d = random.uniform(0.8, 1.6), random.uniform(0.5, 1.0)
    material = _two_colours(random, ("plaid", "rows", "checks", "carpet"), (0.5, 1.0))
    corners = [(x - w, 0.004, z - d), (x + w, 0.004, z - d), (x + w, 0.004, z + d), (x - w, 0.004, z + d)]
    return flat("rug", corners, material, layer=GROUND, bias=-1000.0)


def outdoors(random: Random) -> Place:
    """Open ground under a sky, with hills at its end."""
    words, colours, texture, tile = random.choice(_GROUNDS)
    shapes = [_ground(random, colours, texture, random.uniform(*tile))]
    shade = random.choice(((84, 118, 82), (110, 128, 140), (128, 112, 96), (70, 92, 66)))
    for index in range(random.randint(0, 4)):
        x, z, wide, high = (random.uniform(*ends) for ends in ((-60, 60), (70, 140), (25, 60), (4, 22)))
        colour = near(random, shade, 20)
        ridge = ((-1, 0.0, 0.1), (-0.5, 0.7, 0.1), (0, 1, 1.0), (0.45, 0.75, 0.1), (1, 0.0, 0.1))
        balls = [(x + wide * a, high * b, z, radius) for a, b, radius in ridge]
        leaves = Material(colour, near(random, colour, 25), "leaves", 30.0)
        shapes.append(Shape(f"hill-{index}", balls, leaves, layer=WALL))
    kind = random.choice(("blue", "blue", "grey", "orange", "dark"))
    skies: dict[str, tuple[Colour, Colour, Number]] = {
        "blue": ((84, 142, 218), (196, 222, 242), random.uniform(0.0, 0.8)),
        "grey": ((158, 164, 172), (206, 208, 210), random.uniform(0.2, 0.7)),
        "orange": ((92, 96, 156), (250, 184, 120), random.uniform(0.0, 0.6)),
        "dark": ((24, 30, 62), (70, 78, 118), random.uniform(0.0, 0.3)),
    }
    top, bottom, clouds = skies[kind]
    sky = Sky(near(random, top), near(random, bottom), clouds, (random.randrange(256), random.randrange(256)))
    return Place(False, words, (kind, "sky"), Entity("place", shapes), sky, sky.bottom)
