"""Colours that stay apart for colour-blind eyes (Okabe and Ito, "Color Universal Design", 2008), as RGB."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from gensight.skeletons import Skeleton

Colour = tuple[int, int, int]
Side = Literal["left", "right", "middle"]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
INK: Colour = (20, 20, 24)  # the dark edge around every mark, so that it shows on any ground
CYCLE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
)
SIDES: dict[Side, Colour] = {"left": (86, 180, 233), "right": (230, 97, 0), "middle": (240, 228, 66)}


def cycled(index: int) -> Colour:
    return CYCLE[index % len(CYCLE)]


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever is easier to read on `colour`."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else WHITE


@lru_cache(maxsize=64)
def sides(skeleton: Skeleton) -> tuple[Side, ...]:
    """Whether each keypoint is on the subject's left, right, or neither."""
    found: list[Side] = []
    for index, (name, partner) in enumerate(zip(skeleton.keypoints, skeleton.mirror, strict=True)):
        if partner == index:
            found.append("middle")
        else:
            # A skeleton may pair keypoints whose names don't show the sides: then the first of the two is left.
            side = _side_of_name(name)
            found.append(side if side != "middle" else "left" if index < partner else "right")
    return tuple(found)


def _side_of_name(name: str) -> Side:
    name = name.lower()
    for side, letter in (("left", "l"), ("right", "r")):
        if side in name or name.startswith(f"{letter}_") or name.endswith(f"_{letter}"):
            return "left" if side == "left" else "right"
    return "middle"


@lru_cache(maxsize=64)
def keypoint_colours(skeleton: Skeleton) -> tuple[Colour, ...]:
    """One colour per keypoint: by side where the skeleton has sides, else one after the other."""
    by_side = sides(skeleton)
    if all(side == "middle" for side in by_side):
        return tuple(cycled(index) for index in range(len(skeleton)))
    return tuple(SIDES[side] for side in by_side)


@lru_cache(maxsize=64)
def limb_colours(skeleton: Skeleton) -> tuple[Colour, ...]:
    """One colour per edge: the side that it leads to, the middle's where it crosses from side to side."""
    by_side, colours = sides(skeleton), keypoint_colours(skeleton)
    if all(side == "middle" for side in by_side):
        return tuple(colours[b] for _, b in skeleton.edges)
    return tuple(SIDES[_joined(by_side[a], by_side[b])] for a, b in skeleton.edges)


def _joined(a: Side, b: Side) -> Side:
    if a == b or b == "middle":
        return a
    return b if a == "middle" else "middle"


def category_colours(categories: Sequence[str]) -> list[Colour]:
    """The same colour for the same category, in order of first appearance; one each if there is only one category."""
    names = list(dict.fromkeys(categories))
    if len(names) <= 1:
        return [cycled(index) for index in range(len(categories))]
    return [cycled(names.index(name)) for name in categories]
