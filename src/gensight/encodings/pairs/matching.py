"""Finding points of one descriptor map in another, to a fraction of a cell.

Maps are (channels, grid_height, grid_width), one descriptor per cell, compared by the cosine of their angle. Points
are (x, y) in the grid frame, where the centre of the top-left cell is (0.5, 0.5).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gensight.samples import Array

TEMPERATURE = 0.07  # as descriptors are trained with: Luo et al., "Readout Guidance", CVPR 2024, section 3
_RADIUS = 2  # cells to each side of the best one that share in its place
_CHUNK = 1 << 24  # similarities held at a time


def nearest_cells(points: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four cells whose centres lie around each point, and their bilinear shares.

    Points beyond the outermost centres belong to the outermost cells.

    Args:
        points: (..., num_points, 2) in the grid frame, finite.
        height: Of the grid.
        width: Of the grid.

    Returns:
        int64 (..., num_points, 4) indices of cells, row by row, and their shares in the points' dtype, which add up
        to 1. Cells may repeat, at shares of 0.
    """
    last = points.new_tensor([width - 1, height - 1])
    places = torch.minimum((points - 0.5).clamp(min=0), last)
    low = places.floor()
    high = torch.minimum(low + 1, last)
    share = places - low
    (x0, y0), (x1, y1), (fx, fy) = (t.unbind(-1) for t in (low, high, share))
    cells = torch.stack([y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1], -1)
    shares = torch.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], -1)
    return cells.long(), shares


def sample_descriptors(maps: Tensor, points: Tensor) -> Tensor:
    """Descriptors at points, bilinear between cells, of unit length.

    Args:
        maps: (batch, channels, height, width).
        points: (batch, num_points, 2) in the grid frame, finite.

    Returns:
        (batch, num_points, channels).
    """
    cells, shares = nearest_cells(points, maps.shape[-2], maps.shape[-1])
    by_cell = maps.flatten(2).transpose(1, 2)
    index = cells.flatten(1)[..., None].expand(-1, -1, maps.shape[1])
    corners = by_cell.gather(1, index).unflatten(1, (-1, 4))
    return functional.normalize((corners * shares[..., None].to(corners.dtype)).sum(2), dim=-1)


def find_points(first: Tensor, second: Tensor, points: Array) -> tuple[Array, Array]:
    """Where points of the first map lie in the second one.

    Args:
        first: (channels, height, width).
        second: (channels, height, width), possibly of another size.
        points: float64 (num_points, 2) in the first map's grid frame; NaN gives NaN.

    Returns:
        float64 (num_points, 2) in the second map's grid frame, and float32 (num_points,) confidence.
    """
    known = np.isfinite(points).all(1)
    found, confidence = np.full(points.shape, np.nan), np.zeros(len(points), np.float32)
    if known.any():
        located = torch.from_numpy(np.asarray(points[known], dtype=np.float32))
        queries = sample_descriptors(first[None].float(), located[None])[0]
        found[known], confidence[known] = find_descriptors(queries, second)
    return found, confidence


def find_descriptors(queries: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> tuple[Array, Array]:
    """Where descriptors are found in a map: the most similar cell, refined to a fraction of a cell.

    The place is the mean of the cells around the best one, weighted by exp(cosine / temperature). Descriptors that
    were trained with a point's bilinear shares as probabilities of the four cells around it, at this temperature, give
    the exact place back.

    Args:
        queries: (num_points, channels), of unit length.
        second: (channels, height, width); cells are scaled to unit length here.
        temperature: Of the softmax.

    Returns:
        float64 (num_points, 2) in the map's grid frame, and float32 (num_points,): the largest cosine, at least 0.
    """
    height, width = second.shape[-2:]
    cells = functional.normalize(second.float(), dim=0).flatten(1)
    found, confidence = [], []
    for part in queries.float().split(max(1, _CHUNK // cells.shape[1])):
        similarity = part @ cells
        found.append(refine(similarity.unflatten(1, (height, width)).cpu().numpy(), temperature))
        confidence.append(similarity.amax(1).clamp(0, 1).cpu().numpy())
    return np.concatenate(found), np.concatenate(confidence).astype(np.float32)


def refine(similarity: Array, temperature: float = TEMPERATURE) -> Array:
    """float64 (num_points, 2): the place of each map's maximum, to a fraction of a cell.

    Args:
        similarity: (num_points, height, width).
        temperature: Of the softmax around the best cell.
    """
    num, height, width = similarity.shape
    row, column = np.divmod(similarity.reshape(num, -1).argmax(1), width)
    steps = np.arange(-_RADIUS, _RADIUS + 1)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
    window = similarity[
        np.arange(num)[:, None, None],
        rows.clip(0, height - 1)[:, :, None],
        columns.clip(0, width - 1)[:, None, :],
    ].astype(np.float64)
    best = similarity[np.arange(num), row, column].astype(np.float64)
    weight = np.where(outside, 0.0, np.exp((window - best[:, None, None]) / temperature))
    weight /= weight.sum((1, 2), keepdims=True)
    x = (weight.sum(1) * columns).sum(1)
    y = (weight.sum(2) * rows).sum(1)
    return np.stack([x, y], axis=1) + 0.5
