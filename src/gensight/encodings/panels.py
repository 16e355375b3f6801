"""Panels: one picture of a prediction beside its ground truth, for reports; each encoding draws its own."""

from dataclasses import dataclass

import cv2

from gensight.drawing import contact_sheet
from gensight.samples import Array, Item

PICTURE_SIDE = 384  # longest side of one image of a panel


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture of a prediction.

    Attributes:
        picture: uint8 RGB.
        error: Error in `unit`, by which panels are ranked; NaN where the ground truth is unknown.
        unit: Unit of `error`.
    """

    picture: Array
    error: float
    unit: str


def sheet(pictures: list[Array], captions: list[str]) -> Array:
    """uint8 RGB: pictures side by side under their captions."""
    return contact_sheet([shrunk(picture, PICTURE_SIDE) for picture in pictures], len(pictures), captions, gap=4)


def shrunk(picture: Array, longest: int) -> Array:
    """A picture of at most that many pixels along its longer side."""
    shrink = longest / max(picture.shape[:2])
    return picture if shrink >= 1 else cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)


def comparison(
    item: Item, drawn: Array, truth: Array | None = None, error: float = float("nan"), unit: str = ""
) -> Panel:
    """An item's image and what was predicted, with what is true between them where that is known."""
    image = item.sample.image()
    if truth is None:
        return Panel(sheet([image, drawn], ["image", "predicted"]), error, unit)
    return Panel(sheet([image, truth, drawn], ["image", "truth", "predicted"]), error, unit)
