"""Furniture and things of the outdoors, each an `Entity` standing on the ground."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, pi, sin
from random import Random

from gensight.puppets.scenery.palette import COLOURS, named, near
from gensight.puppets.shapes import Entity, Material, Number, Shape, box, capsule, flat, rectangle, rim, turned

Words = tuple[str, ...]
_WOODS = ((150, 104, 62), (112, 74, 44), (190, 148, 98), (74, 50, 34), (214, 184, 140))


def _paint(random: Random) -> tuple[Material, str]:
    name = random.choice(list(COLOURS))
    return Material(named(random, name)), name


def _wood(random: Random) -> Material:
    colour = near(random, random.choice(_WOODS))
    return Material(colour, near(random, (colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8)), "wood", 0.8)


def _material(random: Random) -> tuple[Material, str]:
    return (_wood(random), "wooden") if random.random() < 0.6 else _paint(random)


def _legs(width: Number, height: Number, depth: Number, leg: Number, material: Material) -> list[Shape]:
    """Four square legs of this thickness at the corners."""
    shapes = []
    for name, x, z in (("a", -1, 1), ("b", 1, 1), ("c", -1, -1), ("d", 1, -1)):
        foot = (x * (width / 2 - leg), height / 2, z * (depth / 2 - leg))
        shapes += box(f"leg-{name}", foot, (leg, height, leg), material)
    return shapes


def table(random: Random) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    w, h, d, leg = (random.uniform(*bounds) for bounds in ((0.8, 1.6), (0.6, 0.8), (0.5, 0.8), (0.04, 0.08)))
    return _legs(w, h, d, leg, material) + box("top", (0, h, 0), (w, 0.06, d), material), (word, "table")


def chair(random: Random, height: Number = 0.0) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    h, w = height or random.uniform(0.4, 0.5), random.uniform(0.4, 0.5)
    shapes = box("back", (0, h + 0.3, w / 2), (w, 0.55, 0.05), material) + _legs(w, h, w, 0.045, material.shaded(0.8))
    return shapes + box("seat", (0, h - 0.03, 0), (w, 0.06, w), material), (word, "chair")


def stool(random: Random, height: Number = 0.0) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    h, w = height or random.uniform(0.35, 0.6), random.uniform(0.36, 0.6)
    return box("body", (0, h / 2, 0.03), (w, h, w * 0.8), material), (word, "box")


def sofa(random: Random) -> tuple[list[Shape], Words]:
    material, word = _paint(random)
    w, d = random.uniform(1.4, 2.1), 0.8
    shapes = box("back", (0, 0.45, d / 2), (w, 0.9, 0.2), material) + box("seat", (0, 0.22, 0), (w, 0.44, d), material)
    shapes += box("arm-a", (-w / 2, 0.32, 0), (0.18, 0.64, d), material)
    return shapes + box("arm-b", (w / 2, 0.32, 0), (0.18, 0.64, d), material), (word, "sofa")


def shelf(random: Random) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    w, h, d = random.uniform(0.6, 1.2), random.uniform(0.9, 2.0), 0.35
    shapes = box("body", (0, h / 2, 0), (w, h, d), material)
    rows = random.randint(2, 4)
    for row in range(rows):
        low, high = h * (row + 0.12) / rows, h * (row + 0.9) / rows
        back = rectangle((-w * 0.45, w * 0.45), (low, high), -d / 2 - 0.01)
        shapes.append(flat(f"row-{row}", back, material.shaded(0.45), one_sided=True))
        x = -w * 0.42
        while x < w * 0.3:
            book, tall = random.uniform(0.04, 0.1), random.uniform(0.55, 0.95) * (high - low)
            spine = rectangle((x, x + book), (low, low + tall), -d / 2 - 0.02)
            shapes.append(flat(f"book-{row}-{x:.2f}", spine, _paint(random)[0], one_sided=True))
            x += book + random.choice((0.0, 0.0, 0.15))
    return shapes, (word, "shelf")


def lamp(random: Random) -> tuple[list[Shape], Words]:
    material, word = _paint(random)
    h = random.uniform(1.2, 1.7)
    pole = Material((70, 66, 62), round=True)
    return [
        Shape("foot", rim(0.16, 0.02, 0.01), pole),
        capsule("pole", (0, 0.02, 0), (0, h, 0), 0.02, 0.02, pole),
        Shape("shade", rim(0.24, h) + rim(0.14, h + 0.3), material.shaded(1.15)),
    ], (word, "lamp")


def plant(random: Random) -> tuple[list[Shape], Words]:
    material, word = _paint(random)
    shapes = [Shape("pot", rim(0.12, 0.0) + rim(0.18, 0.3), material._replace(round=True))]
    for index in range(random.randint(6, 11)):
        around, out, high = random.uniform(0, 2 * pi), random.uniform(0.1, 0.4), random.uniform(0.5, 1.2)
        green = Material(named(random, "green"))
        x, z = out * cos(around), out * sin(around)
        leaf = [(0.0, 0.28, 0.0, 0.015), (x * 0.6, high * 0.75, z * 0.6, 0.06), (x, high, z, 0.01)]
        shapes.append(Shape(f"leaf-{index}", leaf, green))
    return shapes, (word, "pot", "plant")


def ball(random: Random) -> tuple[list[Shape], Words]:
    material, word = _paint(random)
    radius = random.uniform(0.1, 0.22)
    shapes = [Shape("ball", [(0, radius, 0, radius)], material._replace(round=True))]
    if random.random() < 0.6:
        stripe = Material(named(random, "white" if word != "white" else "red"))
        band = [(x * radius, radius, -0.5 * radius, 0.16 * radius) for x in (-0.8, 0.8)]
        shapes.append(Shape("band", band, stripe, bias=-radius))
    return shapes, (word, "ball")


def crate(random: Random) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    size = (random.uniform(0.3, 0.9), random.uniform(0.25, 0.9), random.uniform(0.3, 0.7))
    return box("body", (0, size[1] / 2, 0), size, material), (word, "box")


def screen(random: Random) -> tuple[list[Shape], Words]:
    w, h, y = random.uniform(0.6, 1.2), random.uniform(0.4, 0.7), random.uniform(0.5, 0.8)
    dark = Material((38, 38, 42))
    shapes = box("stand", (0, y / 2, 0), (0.5 * w, y, 0.3), _wood(random)) + box(
        "case", (0, y + h / 2, 0), (w, h, 0.08), dark
    )
    x, low, high, z = w * 0.46, y + 0.04 * h, y + 0.96 * h, -0.05
    picture = Material(named(random, "blue"), named(random, random.choice(("green", "orange", "white"))), "patches", w)
    shapes.append(flat("picture", rectangle((-x, x), (low, high), z), picture, one_sided=True, bias=-0.01))
    return shapes, ("black", "screen")


def tree(random: Random) -> tuple[list[Shape], Words]:
    trunk = Material(near(random, (96, 68, 46)), round=True)
    h, radius = random.uniform(2.5, 6.0), random.uniform(0.09, 0.2)
    shapes = [capsule("trunk", (0, 0, 0), (random.uniform(-0.2, 0.2), h * 0.6, 0), radius * 1.3, radius, trunk)]
    leaf = named(random, random.choice(("green", "green", "green", "orange", "yellow")))
    if random.random() < 0.3:  # a fir
        for index in range(4):
            y, wide = h * (0.25 + 0.2 * index), h * (0.26 - 0.05 * index)
            green = Material(near(random, leaf, 14), near(random, leaf, 30), "leaves", 1.5)
            cone = [(-wide, y, 0.0, 0.03), (wide, y, 0.0, 0.03), (0.0, y + h * 0.32, 0.0, 0.01)]
            shapes.append(Shape(f"cone-{index}", cone, green, bias=-0.02 * index))
        return shapes, ("tree",)
    for index in range(random.randint(4, 7)):
        green = Material(near(random, leaf, 14), near(random, leaf, 30), "leaves", 1.5)
        x, y, z = random.gauss(0, 0.16) * h, h * random.uniform(0.62, 0.95), random.gauss(0, 0.1) * h
        shapes.append(Shape(f"crown-{index}", [(x, y, z, h * random.uniform(0.14, 0.22))], green))
    return shapes, ("tree",)


def bush(random: Random) -> tuple[list[Shape], Words]:
    leaf = named(random, "green")
    shapes = []
    for index in range(random.randint(3, 6)):
        green = Material(near(random, leaf, 14), near(random, leaf, 30), "leaves", 0.8)
        radius = random.uniform(0.2, 0.45)
        x, z = random.uniform(-0.6, 0.6), random.uniform(-0.2, 0.2)
        shapes.append(Shape(f"tuft-{index}", [(x, radius * 0.7, z, radius)], green))
    return shapes, ("bush",)


def rock(random: Random) -> tuple[list[Shape], Words]:
    grey = Material(named(random, "grey"), (110, 106, 100), "plaster", 0.5, True)
    balls = [
        (random.uniform(-0.4, 0.4), random.uniform(0.05, 0.35), random.uniform(-0.1, 0.1), random.uniform(0.05, 0.2))
        for _ in range(5)
    ]
    return [Shape("rock", [*balls, (-0.45, 0.02, 0, 0.02), (0.45, 0.02, 0, 0.02)], grey)], ("rock",)


def fence(random: Random) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    shapes = []
    for y in (0.35, 0.75):
        shapes += box(f"rail-{y}", (0, y, 0), (3.6, 0.09, 0.04), material)
    for index in range(9):
        x = -1.8 + 0.45 * index
        shapes += box(f"post-{index}", (x, 0.5, -0.04), (0.1, 1.0, 0.03), material)
    return shapes, (word, "fence")


def bench(random: Random) -> tuple[list[Shape], Words]:
    material, word = _material(random)
    shapes = box("back", (0, 0.75, 0.25), (1.5, 0.35, 0.05), material)
    for name, x in (("a", -0.6), ("b", 0.6)):
        shapes += box(f"leg-{name}", (x, 0.2, 0), (0.08, 0.4, 0.4), Material((70, 70, 72)))
    return shapes + box("seat", (0, 0.43, 0), (1.5, 0.07, 0.45), material), (word, "bench")


def _window(name: str, x: Number, z: Number) -> list[Shape]:
    shapes = []
    for part, grow, colour, bias in (("frame", 0.62, (240, 238, 232), -0.1), ("pane", 0.5, (120, 150, 175), -0.11)):
        corners = rectangle((x - grow, x + grow), (1.8 - grow, 1.8 + grow), z)
        shapes.append(flat(f"{part}-{name}", corners, Material(colour), one_sided=True, bias=bias))
    return shapes


def house(random: Random) -> tuple[list[Shape], Words]:
    wall, word = _paint(random)
    if random.random() < 0.4:
        wall = wall._replace(second=near(random, (190, 180, 170)), texture="bricks", tile=2.0)
    w, h, d = random.uniform(5, 9), random.uniform(3, 6), random.uniform(4, 6)
    shapes = box("body", (0, h / 2, 0), (w, h, d), wall)
    roof = Material(near(random, random.choice(((140, 62, 48), (84, 80, 82), (120, 84, 60)))))
    a, b, c = d / 2 + 0.3, w / 2 + 0.3, h + random.uniform(1.2, 2.5)
    shapes.append(flat("roof", [(-b, h, -a), (b, h, -a), (b * 0.8, c, 0), (-b * 0.8, c, 0)], roof, bias=-0.1))
    door = rectangle((-0.5, 0.5), (0, 2.0), -d / 2)
    shapes += _window("left", -0.32 * w, -d / 2)
    shapes.append(flat("door", door, roof.shaded(0.8), one_sided=True, bias=-0.1))
    return shapes + _window("right", 0.32 * w, -d / 2), (word, "house")


Builder = Callable[[Random], tuple[list[Shape], Words]]
INDOORS: tuple[Builder, ...] = (table, chair, sofa, shelf, lamp, plant, crate, screen, ball, stool)
OUTDOORS: tuple[Builder, ...] = (tree, bush, rock, fence, bench, crate, ball)
# Things to stand behind.
OCCLUDERS_INDOORS: tuple[Builder, ...] = (table, chair, crate, sofa, plant, stool)
OCCLUDERS_OUTDOORS: tuple[Builder, ...] = (bush, fence, bench, crate, rock)
NOUNS = (
    "table", "chair", "box", "sofa", "shelf", "lamp", "plant", "ball", "screen", "tree", "bush", "rock", "fence",
    "bench", "house",
)  # fmt: skip


def place(
    random: Random, builder: Builder, x: Number, z: Number, yaw: Number, height: Number = 0.0
) -> tuple[Entity, Words]:
    """An object standing at (x, z), turned by yaw (radians; 0 faces the camera), and its words."""
    shapes, words = builder(random, height) if height else builder(random)  # type: ignore[call-arg]
    axes = turned(yaw)
    axes[2] *= -1  # objects are built with their front towards -z
    return Entity(words[-1], shapes, (x, 0.0, z), axes, whole=True), words


@dataclass
class Things:
    """The objects of a scene that is being drawn, and how captions call them."""

    random: Random
    entities: list[Entity] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    def put(self, builder: Builder, x: Number, z: Number, yaw: Number, seat: Number = 0.0) -> None:
        """Adds an object at (x, z); one that somebody sits on gets a height, and is painted face by face."""
        entity, words = place(self.random, builder, x, z, yaw, seat)
        entity.whole = not seat
        self.entities.append(entity)
        self.words.append(words)

    @property
    def spots(self) -> list[tuple[Number, Number]]:
        """Where they stand: (x, z) of each."""
        return [(entity.position[0], entity.position[2]) for entity in self.entities]
