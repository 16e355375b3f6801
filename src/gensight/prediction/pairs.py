"""Two images compared: points of one found in the other, or how alike they are."""

import numpy as np

from gensight.errors import DataError
from gensight.samples import Array, Item, Relation, Sample

NUM_GRID_POINTS = 8  # along the longer side, where no points are given


def even_grid(sample: Sample) -> Array:
    """float64 (num_points, 2): an even grid of (x, y) in pixels of the image."""
    height, width = sample.size
    step = max(height, width) / NUM_GRID_POINTS
    x, y = np.meshgrid(np.arange(step / 2, width, step), np.arange(step / 2, height, step))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def points_inside(sample: Sample, points: Array) -> Array:
    """float64 (num_points, 2): the points themselves. Raises DataError naming the first outside the image."""
    height, width = sample.size
    values = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    outside = [point for point in values.tolist() if not (0 <= point[0] <= width and 0 <= point[1] <= height)]
    if outside:
        raise DataError(
            f"the point {outside[0][0]:g},{outside[0][1]:g} lies outside the image of {width} x {height}",
            where=sample.key,
        )
    return values


def pair_item(reference: Sample, sample: Sample, points: Array | None) -> Item:
    """The item that finds points of `reference` in `sample`; without points, one that compares the images."""
    if points is None:  # a triplet whose third image repeats the second
        return Item((reference, sample, sample), relation=Relation("triplet"))
    tracks = np.stack([points, np.full_like(points, np.nan)])
    return Item((reference, sample), relation=Relation("tracks", tracks))
