"""Named colours, each a range: a caption's `red` is rendered in many reds."""

from colorsys import hsv_to_rgb
from random import Random

from gensight.puppets.shapes import Colour, Material, Number

# name: (hue range in degrees, saturation range, value range)
COLOURS = {
    "red": ((-8, 8), (0.7, 0.95), (0.55, 0.95)),
    "orange": ((20, 32), (0.75, 0.95), (0.8, 1.0)),
    "yellow": ((48, 58), (0.6, 0.95), (0.85, 1.0)),
    "green": ((95, 150), (0.45, 0.85), (0.3, 0.75)),
    "blue": ((205, 235), (0.55, 0.9), (0.4, 0.95)),
    "purple": ((265, 290), (0.4, 0.75), (0.35, 0.75)),
    "pink": ((325, 345), (0.3, 0.55), (0.85, 1.0)),
    "brown": ((18, 30), (0.5, 0.75), (0.28, 0.52)),
    "black": ((0, 360), (0.0, 0.15), (0.06, 0.16)),
    "white": ((0, 360), (0.0, 0.05), (0.9, 1.0)),
    "grey": ((0, 360), (0.0, 0.08), (0.4, 0.65)),
}
CLOTH_PATTERNS = {"striped": "stripes", "checked": "checks", "dotted": "dots", "flowered": "blots"}
SKINS = ((255, 224, 196), (240, 200, 165), (225, 172, 132), (198, 134, 94), (150, 98, 62), (105, 66, 42), (75, 47, 32))
HAIRS = {
    "black": (28, 24, 22),
    "brown": (92, 58, 32),
    "blond": (222, 190, 120),
    "red": (165, 74, 32),
    "grey": (158, 156, 152),
    "white": (232, 230, 226),
}


def named(random: Random, name: str) -> Colour:
    """One of the colours that are called `name`."""
    hue, saturation, value = (random.uniform(*bounds) for bounds in COLOURS[name])
    red, green, blue = hsv_to_rgb(hue % 360 / 360, saturation, value)
    return red * 255, green * 255, blue * 255


def near(random: Random, colour: Colour, spread: Number = 12.0) -> Colour:
    """A colour close to another: the same for brightness, with a little change of hue."""
    light = random.uniform(-spread, spread)
    red, green, blue = (min(max(c + light + random.uniform(-4, 4), 0.0), 255.0) for c in colour)
    return red, green, blue


def cloth(random: Random, *, avoid: str = "") -> tuple[Material, tuple[str, ...]]:
    """A cloth and the words for it: ("red",) or ("red", "and", "white", "striped")."""
    first = random.choice([name for name in COLOURS if name != avoid])
    colour = named(random, first)
    if random.random() < 0.6:
        return Material(colour, round=True), (first,)
    pattern = random.choice(list(CLOTH_PATTERNS))
    dark = first in ("black", "brown", "blue", "purple", "green", "red", "grey")
    second = random.choice(["white", "yellow", "pink"] if dark else ["black", "blue", "red", "green"])
    if second == first:
        second = "white" if first != "white" else "black"
    material = Material(colour, named(random, second), CLOTH_PATTERNS[pattern], random.uniform(0.25, 0.6), True)
    return material, (first, "and", second, pattern)
