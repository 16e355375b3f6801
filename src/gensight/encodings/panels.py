"""Panels: one picture of a prediction beside its ground truth, for reports; each encoding draws its own."""

from dataclasses import dataclass

import cv2
import numpy as np

from gensight.drawing import contact_sheet
from gensight.samples import Array

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


def grey(values: Array) -> Array:
    """uint8 of values in [0, 1]; NaN is black."""
    return np.rint(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
