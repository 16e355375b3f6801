"""Points of one image and where they were found in another, side by side."""

import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.palette import INK, WHITE, cycled
from gensight.samples import Array

_GAP = 6
_SHOWN = 40  # more pairs of points hide one another


def draw_matches(first: Array, second: Array, points: Array, found: Array, truth: Array | None = None) -> Array:
    """Two images beside each other: a point has one colour in both; a line leads from where it was found to the truth.

    Args:
        first: uint8 RGB or grey.
        second: uint8 RGB or grey, of any size.
        points: (num_points, 2), (x, y) in the first image; NaN is left out, and of many points an even choice is shown.
        found: (num_points, 2) in the second image.
        truth: (num_points, 2) in the second image, NaN where unknown; or None.

    Returns:
        uint8 RGB (max height, sum of widths + 6, 3).
    """
    left, right = draw.as_canvas(first), draw.as_canvas(second)
    known = np.flatnonzero(np.isfinite(points).all(1) & np.isfinite(found).all(1))
    if len(known) > _SHOWN:
        known = known[np.linspace(0, len(known) - 1, _SHOWN).round().astype(int)]
    for number, index in enumerate(known.tolist()):
        colour = cycled(number)
        _mark(left, points[index], colour)
        if truth is not None and np.isfinite(truth[index]).all():
            draw.line(right, found[index], truth[index], WHITE, 1.6 * draw.unit(right))
            draw.ring(right, truth[index], 3 * draw.unit(right), colour, 1.2 * draw.unit(right))
        _mark(right, found[index], colour)
    sheet = np.full((max(len(left), len(right)), left.shape[1] + _GAP + right.shape[1], 3), 255, dtype=np.uint8)
    sheet[: len(left), : left.shape[1]] = left
    sheet[: len(right), left.shape[1] + _GAP :] = right
    return sheet


def draw_drags(image: Array, handles: Array, targets: Array) -> Array:
    """Lines from points to their targets: dots at the handles, rings at the targets.

    Args:
        image: uint8 RGB or grey.
        handles: (num_points, 2), (x, y); NaN is left out.
        targets: (num_points, 2).

    Returns:
        uint8 RGB of the image's size.
    """
    canvas = draw.as_canvas(image)
    for number, (start, end) in enumerate(zip(handles, targets, strict=True)):
        if np.isfinite(start).all() and np.isfinite(end).all():
            colour = cycled(number)
            draw.line(canvas, start, end, WHITE, 1.6 * draw.unit(canvas))
            draw.ring(canvas, end, 3 * draw.unit(canvas), colour, 1.2 * draw.unit(canvas))
            _mark(canvas, start, colour)
    return canvas


def _mark(canvas: Array, point: Array, colour: tuple[int, int, int]) -> None:
    radius = 3 * draw.unit(canvas)
    draw.dot(canvas, point, radius + draw.unit(canvas), INK)
    draw.dot(canvas, point, radius, colour)
