"""Exact areas under the ROC curve of gaze maps, by counting instead of sorting."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image

from gensight.geometry import map_grid_to_image
from gensight.samples import Array, ScoreMap, Size

RECTANGLE = 9  # cells to each side of a target in the rectangle of Chong et al.: 3 sigma of a Gaussian of sigma 3
Interpolation = Literal["float", "uint8"]


def auc_of_points(values: Array, cells: Array) -> float:
    """ROC-AUC of a map (height, width) whose positives are single cells; ties count half.

    Each positive is compared with all cells; of the pairs among the n positives, n^2 / 2 are won. So there is nothing
    to sort, and the few annotators of an image cost a few passes over it.

    Args:
        values: Finite numbers.
        cells: int (n, 2), (x, y); repeated ones count once. NaN where there is none, or nothing else.
    """
    width, flat = values.shape[1], values.ravel()
    places = np.unique(cells[:, 1] * width + cells[:, 0])
    num, rest = len(places), flat.size - len(places)
    if num == 0 or rest == 0:
        return float("nan")
    won = 0.0
    for value in flat[places]:
        less, no_more = np.count_nonzero(flat < value), np.count_nonzero(flat <= value)
        won += 0.5 * (less + no_more)
    return float((won - 0.5 * num * num) / (num * rest))


def auc_of_mask(values: Array, mask: Array) -> float:
    """ROC-AUC of a map against a bool mask of the same shape, by mid-ranks; NaN where one class is missing."""
    num, rest = int(mask.sum()), int((~mask).sum())
    if num == 0 or rest == 0:
        return float("nan")
    from scipy.stats import rankdata  # predicting needs no scipy

    ranks = rankdata(values.ravel())[mask.ravel()]
    return float((ranks.sum() - num * (num + 1) / 2) / (num * rest))


def resized(values: Array, size: Size, interpolation: Interpolation = "float") -> Array:
    """A map (grid_height, grid_width) at (height, width), bilinear between cell centres.

    `uint8` first spreads it over 0..255 and rounds, as `scipy.misc.imresize` did: that makes ties.
    """
    if interpolation == "uint8":
        low, high = float(values.min()), float(values.max())
        scale = 255 / (high - low) if high > low else 1.0
        coarse = np.clip((values.astype(np.float64) - low) * scale, 0, 255) + 0.5
        picture = Image.fromarray(coarse.astype(np.uint8)).resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(picture).astype(np.float32)
    return cv2.resize(values.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)


def point_cells(points: Array, size: Size) -> Array:
    """int64 (n, 2): the pixels of points that are given as shares of the image, the last ones for a share of 1."""
    limits = np.array(size[::-1])
    return np.clip(np.floor(points * limits).astype(np.int64), 0, limits - 1)


def rectangle(point: Array, grid: Size, last_included: bool = True) -> Array:
    """bool grid: the support of the truncated Gaussian that Chong et al. draw, 19 x 19 cells around a target.

    Args:
        point: (x, y) as shares of the image.
        grid: (height, width).
        last_included: Gaze-LLE's code clips the rectangle's end at the grid's last index, and so never counts the last
            row and column.
    """
    height, width = grid
    centre = point * np.array([width, height])
    low, high = (centre - RECTANGLE).astype(int), (centre + RECTANGLE + 1).astype(int)
    end = (width, height) if last_included else (width - 1, height - 1)
    mask = np.zeros(grid, bool)
    mask[max(low[1], 0) : max(min(high[1], end[1]), 0), max(low[0], 0) : max(min(high[0], end[0]), 0)] = True
    return mask


def whole_map(score: ScoreMap) -> Array:
    """float32 grid over the whole image: the prediction's own where its view shows just that, else resampled."""
    values, view = score.values[0], score.view
    height, width = view.image_size
    expected = np.diag([view.model_size[1] / width, view.model_size[0] / height, 1.0])
    if np.allclose(view.matrix, expected):
        return np.nan_to_num(values)
    low = float(np.nan_to_num(values).min())
    full = map_grid_to_image(np.nan_to_num(values), view, fill=low)
    return cv2.resize(full, values.shape[::-1], interpolation=cv2.INTER_AREA)
