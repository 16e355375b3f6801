"""Skeletons in the colours of OpenPose on black: the picture that pose-controlled image models take.

The layout is that of OpenPose's renderer (Cao et al., "OpenPose", TPAMI 2021) as pose-controlled models were trained
with it: of n evenly spaced, fully saturated hues the k-th is keypoint k's and limb k's; a limb is an ellipse between
its ends at 0.6 of the brightness; dots lie on top of limbs.
"""

from functools import lru_cache

import numpy as np

from gensight.samples import Array, Size
from gensight.skeletons import Skeleton

LIMB_BRIGHTNESS = 0.6
PUBLISHED_RADIUS = 1 / 128  # of a dot, and half the width of a limb, as shares of the side: 4 px at 512
_SUBSAMPLES = 4  # per cell and axis; within each, coverage is a ramp over the outline's distance


def hues(num: int) -> Array:
    """float32 (num, 3): RGB in [0, 1], evenly spaced hues from red on, fully saturated."""
    turn = 6 * np.arange(num) / max(num, 1)
    return np.clip(np.stack([abs(turn - 3) - 1, 2 - abs(turn - 2), 2 - abs(turn - 4)], axis=1), 0, 1).astype(np.float32)


@lru_cache(maxsize=64)
def num_hues(skeleton: Skeleton) -> int:
    """How many hues a skeleton takes: 18 for OpenPose's."""
    return max(len(skeleton), len(skeleton.edges))


def draw_skeletons(
    points: Array, shown: Array, skeleton: Skeleton, size: Size, radius: float, half_width: float
) -> Array:
    """Draws people on black.

    Args:
        points: float (num_people, K, 2), (x, y) in the frame's continuous cells or pixels.
        shown: bool (num_people, K): keypoints to draw; a limb is drawn where both its ends are.
        skeleton: Of K keypoints.
        size: (height, width) of the frame.
        radius: Of a dot, in cells; `PUBLISHED_RADIUS` times the side is usual.
        half_width: Of a limb at its middle, in cells.

    Returns:
        float32 (height, width, 3), RGB in [0, 1]: each cell is the mean over its area.
    """
    canvas = np.zeros((size[0] * _SUBSAMPLES, size[1] * _SUBSAMPLES, 3), dtype=np.float32)
    colours = hues(num_hues(skeleton))
    scaled = np.asarray(points, dtype=np.float64) * _SUBSAMPLES
    for limb, (first, last) in enumerate(skeleton.edges):
        for person in np.flatnonzero(shown[:, first] & shown[:, last]):
            colour = LIMB_BRIGHTNESS * colours[limb]
            _ellipse(canvas, scaled[person, first], scaled[person, last], half_width * _SUBSAMPLES, colour)
    for joint in range(len(skeleton)):
        for person in np.flatnonzero(shown[:, joint]):
            _disc(canvas, scaled[person, joint], radius * _SUBSAMPLES, colours[joint])
    height, width = size
    means: Array = canvas.reshape(height, _SUBSAMPLES, width, _SUBSAMPLES, 3).mean((1, 3), dtype=np.float32)
    return means


def _disc(canvas: Array, centre: Array, radius: float, colour: Array) -> None:
    region, x, y = _region(canvas, centre - radius, centre + radius)
    _paint(region, radius - np.hypot(x - centre[0], y - centre[1]), colour)


def _ellipse(canvas: Array, start: Array, end: Array, half_width: float, colour: Array) -> None:
    """An ellipse from `start` to `end`; its distance is that of the first-order expansion at the outline."""
    centre, along = (start + end) / 2, (end - start) / 2
    length = float(np.hypot(*along))
    if length < 1e-6:
        return
    direction = along / length
    reach = np.abs(along) + half_width
    region, x, y = _region(canvas, centre - reach, centre + reach)
    u = ((x - centre[0]) * direction[0] + (y - centre[1]) * direction[1]) / length
    v = ((y - centre[1]) * direction[0] - (x - centre[0]) * direction[1]) / half_width
    norm = np.maximum(np.hypot(u, v), 1e-6)
    slope = np.maximum(np.hypot(u / length, v / half_width), 1e-6) / norm
    _paint(region, np.minimum((1 - norm) / slope, half_width), colour)


def _region(canvas: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The part of a canvas that a mark can touch, and its subsamples' centres: x (1, w), y (h, 1)."""
    limits = np.array([canvas.shape[1], canvas.shape[0]])
    left, top = np.clip(np.floor(low - 1), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(high + 1), 0, limits).astype(int)
    return canvas[top:bottom, left:right], np.arange(left, right)[None] + 0.5, np.arange(top, bottom)[:, None] + 0.5


def _paint(region: Array, depth_inside: Array, colour: Array) -> None:
    cover = np.clip(depth_inside + 0.5, 0, 1)[..., None].astype(np.float32)
    region += cover * (colour - region)
