"""The base of all drawings: a copied RGB canvas, and anti-aliased marks that are blended into it.

Coordinates are continuous image pixels (the centre of the top-left pixel is (0.5, 0.5)), widths and radii are pixels
and may be fractions. A mark that lies outside the canvas, or whose coordinates are not finite, leaves it unchanged.
"""

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache, partial

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gensight.drawing.palette import INK, Colour
from gensight.errors import DataError
from gensight.samples import Array

_SHIFT = 4  # OpenCV's fixed-point bits: marks are placed to 1/16 px
_FARTHEST = 2.0**20  # px; beyond it OpenCV's fixed-point numbers overflow


def as_canvas(image: Array) -> Array:
    """A fresh, contiguous uint8 RGB copy (height, width, 3) of an RGB or grey image.

    Raises:
        DataError: `image` is not uint8 of shape (height, width, 3), (height, width, 1) or (height, width), or is empty.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise DataError(
            f"cannot draw on an array of type {image.dtype} and shape {image.shape}",
            hint="pass uint8 RGB (height, width, 3) or grey (height, width), with at least one pixel",
        )
    return np.array(np.broadcast_to(image, (*image.shape[:2], 3)), order="C")


def unit(canvas: Array) -> float:
    """The thickness of a thin line in px, >= 0.6: 1 at 400 x 400, and in proportion to the image's side."""
    height, width = canvas.shape[:2]
    return max(0.6, float(np.sqrt(height * width)) / 400)


def drawable(points: Array) -> Array:
    """bool (...,): the points (..., 2) that are finite and within OpenCV's reach."""
    points = np.asarray(points, dtype=np.float64)
    return np.asarray(np.isfinite(points).all(-1) & (np.abs(np.nan_to_num(points)) < _FARTHEST).all(-1))


def line(canvas: Array, start: Array, end: Array, colour: Colour, width: float, opacity: float = 1.0) -> None:
    """A straight stroke `width` px wide."""
    ends = np.array([start, end], dtype=np.float64)
    if not drawable(ends).all():
        return
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    if length < 1e-6:
        return
    across = np.array([-along[1], along[0]]) / length * width / 2
    corners = np.array([ends[0] + across, ends[1] + across, ends[1] - across, ends[0] - across])
    _blend(canvas, corners, colour, opacity, partial(_cover_polygon, corners))


def dot(canvas: Array, centre: Array, radius: float, colour: Colour, opacity: float = 1.0) -> None:
    """A filled circle."""
    if drawable(centre):
        _blend(canvas, _circle_bounds(centre, radius), colour, opacity, partial(_cover_disc, centre, radius))


def ring(
    canvas: Array,
    centre: Array,
    radius: float,
    colour: Colour,
    width: float,
    opacity: float = 1.0,
    dashed: bool = False,
) -> None:
    """A circle's outline, `width` px wide, `radius` to the middle of the stroke; dashed into six parts if `dashed`."""
    if drawable(centre):
        bounds = _circle_bounds(centre, radius + width / 2)
        _blend(canvas, bounds, colour, opacity, partial(_cover_ring, centre, radius, width, dashed))


def outline(canvas: Array, corners: Array, colour: Colour, width: float, opacity: float = 1.0) -> None:
    """The closed outline of a polygon (n, 2)."""
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        direction = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
        # Half a width further on either end closes the corners.
        line(canvas, start - direction * width / 2, end + direction * width / 2, colour, width, opacity)


def tint(canvas: Array, mask: Array, colour: Colour, opacity: float) -> None:
    """Colours the pixels of a mask, bool (height, width) or float in [0, 1]."""
    alpha = mask.astype(np.float32)[..., None] * opacity
    canvas[:] = np.rint(canvas * (1 - alpha) + np.array(colour, dtype=np.float32) * alpha).astype(np.uint8)


def letter_height(canvas: Array) -> int:
    """Font size in px for labels on this canvas, from 10 px up."""
    return max(10, round(9 * unit(canvas)))


def text_size(text: str, height: int) -> tuple[int, int]:
    """(height, width) in px of a text with its label's margin."""
    left, _, right, _ = _font(height).getbbox(text)
    return round(height * 1.4), round(right - left + height * 0.5)


def label(canvas: Array, text: str, corner: Array, colour: Colour, background: Colour | None, height: int) -> None:
    """Writes one line with its top-left at `corner`, moved inside the canvas as far as it fits."""
    if not drawable(corner):
        return
    size = text_size(text, height)
    top = int(np.clip(round(float(corner[1])), 0, max(canvas.shape[0] - size[0], 0)))
    left = int(np.clip(round(float(corner[0])), 0, max(canvas.shape[1] - size[1], 0)))
    region = canvas[top : top + size[0], left : left + size[1]]
    if background is not None:
        tint(region, np.ones(region.shape[:2], dtype=bool), background, 0.9)
    letters = Image.new("L", (size[1], size[0]))
    ImageDraw.Draw(letters).text((height * 0.25, size[0] / 2), text, fill=255, font=_font(height), anchor="lm")
    coverage = np.asarray(letters)[: region.shape[0], : region.shape[1]] / 255
    tint(region, coverage, colour, 1.0)


def shorten(text: str, width: int, height: int) -> str:
    """`text`, with its middle replaced by an ellipsis if it is wider than `width` px."""
    text = " ".join(text.split())
    if text_size(text, height)[1] <= width:
        return text
    # The longest that fits: bisect_left finds the first that doesn't.
    keep = bisect_left(range(len(text)), True, key=lambda kept: text_size(_elided(text, kept), height)[1] > width) - 1
    return _elided(text, max(keep, 1))


def _elided(text: str, keep: int) -> str:
    head = keep // 2
    return f"{text[:head]}…{text[len(text) - (keep - head) :]}"


@lru_cache(maxsize=32)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def _fixed(points: Array) -> Array:
    # OpenCV puts the first pixel's centre at 0, we put it at 0.5.
    return np.rint((np.asarray(points) - 0.5) * 2**_SHIFT).astype(np.int32)


def _cover_polygon(corners: Array, mask: Array, origin: Array) -> None:
    cv2.fillConvexPoly(mask, _fixed(corners - origin), 255, cv2.LINE_AA, _SHIFT)


def _cover_disc(centre: Array, radius: float, mask: Array, origin: Array) -> None:
    x, y = _fixed(centre - origin)
    cv2.circle(mask, (int(x), int(y)), round(radius * 2**_SHIFT), 255, -1, cv2.LINE_AA, _SHIFT)


def _cover_ring(centre: Array, radius: float, width: float, dashed: bool, mask: Array, origin: Array) -> None:
    hole = mask.copy()
    _cover_disc(centre, radius + width / 2, mask, origin)
    _cover_disc(centre, max(radius - width / 2, 0.0), hole, origin)
    np.copyto(mask, cv2.subtract(mask, hole))
    if dashed:
        y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]] + 0.5
        turn = np.arctan2(y - (centre - origin)[1], x - (centre - origin)[0]) / (2 * np.pi) + 0.5
        mask[np.floor(turn * 12) % 2 == 1] = 0


def _circle_bounds(centre: Array, radius: float) -> Array:
    return np.array([np.asarray(centre) - radius, np.asarray(centre) + radius])


def _blend(canvas: Array, bounds: Array, colour: Colour, opacity: float, mark: Callable[[Array, Array], None]) -> None:
    """Blends a mark into the part of the canvas that it can touch; `mark(mask, origin)` paints its coverage."""
    limits = np.array([canvas.shape[1], canvas.shape[0]])
    low = np.clip(np.floor(bounds.min(0)).astype(int) - 2, 0, limits)
    high = np.clip(np.ceil(bounds.max(0)).astype(int) + 2, 0, limits)
    if (high <= low).any():
        return
    region = canvas[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(region.shape[:2], dtype=np.uint8)
    mark(mask, low.astype(np.float64))
    tint(region, mask / np.float32(255), colour, opacity)


def edged_line(canvas: Array, start: Array, end: Array, colour: Colour, width: float, opacity: float = 1.0) -> None:
    """A line with a thin dark edge."""
    line(canvas, start, end, INK, width + max(1.2 * unit(canvas), 0.5 * width), 0.6 * opacity)
    line(canvas, start, end, colour, width, opacity)
