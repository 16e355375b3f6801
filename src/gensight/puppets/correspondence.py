"""Dense correspondences: where the surface under a point of one frame lies in another frame of the scene."""

import numpy as np

from gensight.geometry import pixel_centres
from gensight.puppets.camera import Projection
from gensight.samples import Array, Size


def correspond(first: Projection, second: Projection, points: Array) -> tuple[Array, Array]:
    """Follows image points (n, 2) of the first frame into the second.

    Each painted piece carries its own paint coordinates, so a point goes from the first image to the piece's paint and
    from there to the second image; it is visible there if the same piece is on top.

    Returns:
        float64 (n, 2), the places in the second frame: NaN where the surface is not rendered or cannot be followed (the
        sky, hair and hats), and possibly outside of the frame or behind something; and bool (n,), whether they can be
        seen there.
    """
    points = np.asarray(points, dtype=np.float64)
    found, visible = np.full_like(points, np.nan), np.zeros(len(points), bool)
    labels = _labels(first, points)
    there = {(piece.entity, piece.shape.name): index for index, piece in enumerate(second.pieces)}
    for label in np.unique(labels[labels > 0]).tolist():
        piece = first.pieces[label - 1]
        index = there.get((piece.entity, piece.shape.name))
        if index is None or piece.shape.surface == "loose":
            continue
        target = second.pieces[index]
        matrix = target.surface_to_image(second.camera, second.size) @ np.linalg.inv(
            piece.surface_to_image(first.camera, first.size)
        )
        chosen = np.flatnonzero(labels == label)
        mapped = np.concatenate([points[chosen], np.ones((len(chosen), 1))], 1) @ matrix.T
        found[chosen] = mapped[:, :2] / mapped[:, 2:]
        visible[chosen] = _labels(second, found[chosen]) == index + 1
    return found, visible


def grid(size: Size, grid_size: Size) -> Array:
    """float64 (n, 2): the centres of a grid's cells in an image, row by row."""
    scale = np.array([size[1] / grid_size[1], size[0] / grid_size[0]])
    return (pixel_centres(grid_size) * scale).reshape(-1, 2)


def _labels(projection: Projection, points: Array) -> Array:
    """Labels (n,) under image points; 0 outside of the frame."""
    height, width = projection.labels.shape
    cells = np.floor(np.clip(points, -1e6, 1e6) * projection.oversampling).astype(int)
    inside = (cells >= 0).all(1) & (cells < [width, height]).all(1)
    clipped = np.clip(cells, 0, [width - 1, height - 1])
    return np.where(inside, projection.labels[clipped[:, 1], clipped[:, 0]].astype(int), 0)
