"""Animal species: proportions, coats and stances."""

from dataclasses import dataclass

from gensight.puppets.shapes import Colour, Number


@dataclass(frozen=True)
class Species:
    """Proportions as shares of the height at the withers; ranges are (low, high).

    Attributes:
        height: Metres at the withers.
        length: Shoulder to hip.
        trunk: Radius of the trunk.
        leg: Radius of a leg.
        neck: Length of the neck, and its angle above the horizontal in degrees.
        head: Half height of the head, and length of the snout.
        ears: pointed, floppy, round or side.
        tail: (length, radius, angle above the horizontal in degrees, tuft).
        coats: (word, colour) of the fur, and for each pattern (word, texture) how the second colour lies on it.
        stances: Of standing, walking, sitting, lying.
        horns, mane, udder, hooves: What it has.
    """

    height: tuple[Number, Number]
    length: tuple[Number, Number]
    trunk: tuple[Number, Number]
    leg: Number
    neck: tuple[Number, Number]
    head: tuple[Number, Number]
    ears: tuple[str, ...]
    tail: tuple[Number, Number, Number, bool]
    coats: tuple[tuple[str, Colour], ...]
    patterns: tuple[tuple[str, str], ...] = ()
    stances: tuple[str, ...] = ("standing", "walking", "standing", "walking", "lying")
    horns: bool = False
    mane: bool = False
    udder: bool = False
    hooves: bool = True


BROWN, BLACK, WHITE, _GREY = (120, 78, 44), (38, 34, 34), (236, 232, 224), (140, 138, 136)
_TAN, _CREAM, _ORANGE, PINK = (196, 150, 98), (226, 205, 165), (214, 128, 52), (232, 168, 160)
SPECIES: dict[str, Species] = {
    "dog": Species(
        (0.35, 0.75), (0.85, 1.15), (0.17, 0.23), 0.055, (0.34, 55), (0.17, 0.24), ("pointed", "floppy", "floppy"),
        (0.5, 0.03, 45, False),
        (("brown", BROWN), ("black", BLACK), ("white", WHITE), ("grey", _GREY), ("yellow", _TAN)),
        (("spotted", "blots"),), ("standing", "walking", "sitting", "lying"), hooves=False,
    ),
    "cat": Species(
        (0.24, 0.32), (1.05, 1.3), (0.19, 0.23), 0.05, (0.2, 50), (0.24, 0.12), ("pointed",), (0.9, 0.035, 60, False),
        (("orange", _ORANGE), ("black", BLACK), ("white", WHITE), ("grey", _GREY)),
        (("striped", "tabby"), ("spotted", "blots")),
        ("standing", "walking", "sitting", "sitting", "lying"), hooves=False,
    ),
    "horse": Species(
        (1.35, 1.65), (0.85, 1.0), (0.17, 0.2), 0.042, (0.52, 50), (0.12, 0.25), ("pointed",), (0.5, 0.05, -65, False),
        (("brown", BROWN), ("black", BLACK), ("white", WHITE), ("grey", _GREY), ("brown", (150, 88, 46))),
        (("spotted", "patches"),), ("standing", "walking"), mane=True,
    ),
    "cow": Species(
        (1.25, 1.45), (1.0, 1.15), (0.24, 0.28), 0.05, (0.28, 20), (0.15, 0.22), ("side",), (0.6, 0.018, -78, True),
        (("white", WHITE), ("brown", BROWN), ("black", BLACK)), (("spotted", "patches"), ("spotted", "patches")),
        horns=True, udder=True,
    ),
    "sheep": Species(
        (0.6, 0.8), (0.9, 1.05), (0.29, 0.34), 0.045, (0.18, 35), (0.16, 0.16), ("side",), (0.16, 0.06, -60, False),
        (("white", (238, 232, 215)), ("white", (225, 216, 196)), ("grey", (158, 150, 140)), ("black", (52, 48, 46))),
    ),
    "pig": Species(
        (0.5, 0.8), (1.05, 1.25), (0.29, 0.34), 0.07, (0.1, 5), (0.22, 0.2), ("pointed", "floppy"),
        (0.2, 0.025, 30, False),
        (("pink", PINK), ("pink", (240, 184, 172)), ("black", BLACK)), (("spotted", "blots"),),
    ),
    "goat": Species(
        (0.6, 0.8), (0.85, 1.0), (0.19, 0.23), 0.042, (0.32, 55), (0.14, 0.2), ("side",), (0.18, 0.04, 50, False),
        (("white", WHITE), ("brown", BROWN), ("grey", _GREY), ("black", BLACK)),
        (("spotted", "patches"),), horns=True,
    ),
    "zebra": Species(
        (1.2, 1.4), (0.85, 0.98), (0.18, 0.21), 0.042, (0.48, 52), (0.12, 0.24), ("round",), (0.45, 0.022, -70, True),
        (("white", WHITE),), (("striped", "zebra"),), ("standing", "walking"), mane=True,
    ),
    "bear": Species(
        (0.9, 1.15), (1.0, 1.15), (0.28, 0.33), 0.1, (0.22, 25), (0.22, 0.2), ("round",), (0.08, 0.05, 10, False),
        (("brown", (104, 68, 40)), ("black", BLACK), ("white", WHITE)), (),
        ("standing", "walking", "sitting"), hooves=False,
    ),
}  # fmt: skip
