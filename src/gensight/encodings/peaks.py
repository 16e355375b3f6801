"""Where the peaks of heatmaps lie: argmax, DARK and a corrected soft-argmax.

Maps are (K, grid_height, grid_width); peaks are float64 (K, 2), (x, y) in the grid frame, where the centre of the
top-left cell is (0.5, 0.5). All finders work on all K maps at once, stay within a cell of the largest value, and
within the grid.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from gensight.errors import ConfigError
from gensight.samples import Array

_FLOOR = 1e-12  # share of the peak below which a value's logarithm is cut
_MAX_STEP = 1.0  # cells between the largest value and the refined peak
_MAX_NEWTON = 20

PeakFinder = Callable[[Array, float], Array]


def largest_cells(maps: Array) -> tuple[Array, Array]:
    """Column and row of each map's largest cell, int (K, 2), and its value, float (K,)."""
    flat = maps.reshape(len(maps), -1)
    index = flat.argmax(1)
    row, column = np.divmod(index, maps.shape[2])
    return np.stack([column, row], axis=1), flat[np.arange(len(maps)), index]


def argmax(maps: Array, sigma: float) -> Array:
    """The centre of the largest cell: within half a cell of the truth, and without bias. `sigma` is not used."""
    cells, _ = largest_cells(maps)
    return cells + 0.5


def dark(maps: Array, sigma: float) -> Array:
    """Distribution-aware decoding (Zhang et al., CVPR 2020, eq. 5-9): a Taylor step on the log map.

    The log of a Gaussian is a quadratic, whose maximum is at m - H^-1 g from its gradient g and Hessian H anywhere.
    Both come from a least-squares quadratic over a window of about half a sigma to each side: as robust as the
    paper's smoothing (eq. 10), but without its bias at borders, where the window is moved inwards. `sigma` in cells.
    A map whose Hessian is not negative definite keeps its argmax.
    """
    cells, _ = largest_cells(maps)
    height, width = maps.shape[1:]
    radii = [min(max(1, round(sigma / 2)), (side - 1) // 2) for side in (width, height)]
    if min(radii) < 1:  # no curvature along a side of one or two cells
        return cells + 0.5
    centres = np.stack(
        [np.clip(cells[:, i], r, side - 1 - r) for i, (r, side) in enumerate(zip(radii, (width, height), strict=True))],
        1,
    )
    columns = centres[:, :1] + np.arange(-radii[0], radii[0] + 1)
    rows = centres[:, 1:] + np.arange(-radii[1], radii[1] + 1)
    windows = maps[np.arange(len(maps))[:, None, None], rows[:, :, None], columns[:, None, :]].astype(np.float64)
    windows = windows.reshape(len(maps), -1)
    floor = np.maximum(windows.max(1, keepdims=True) * _FLOOR, np.finfo(np.float32).tiny)
    _, gx, gy, hxx, hxy, hyy = _quadratic_fit(*radii) @ np.log(np.maximum(windows, floor)).T
    determinant = hxx * hyy - hxy**2
    peaked = (hxx < 0) & (determinant > 0)
    safe = np.where(peaked, determinant, 1.0)
    step = np.stack([hxy * gy - hyy * gx, hxy * gx - hxx * gy], axis=1) / safe[:, None]
    refined = np.where(peaked[:, None], centres + step, cells)
    return _near(refined + 0.5, cells, (width, height))


@lru_cache
def _quadratic_fit(radius_x: int, radius_y: int) -> Array:
    """float64 (6, n): values over a window (row by row) -> value, g_x, g_y, H_xx, H_xy, H_yy at its centre."""
    y, x = np.mgrid[-radius_y : radius_y + 1, -radius_x : radius_x + 1].reshape(2, -1)
    return np.linalg.pinv(np.stack([np.ones(x.size), x, y, x**2 / 2, x * y, y**2 / 2], axis=1))


def soft_argmax(maps: Array, sigma: float) -> Array:
    """The centroid of a window around the largest cell, corrected for what the window cuts off.

    A plain centroid is biased towards the middle of its window, and inwards at borders. For a Gaussian of known `sigma`
    (in cells) the centroid of the cut piece rises monotonically with the true centre, so Newton's method finds the
    centre: the maximum-likelihood centre of the window's mass. Window: two sigmas to each side. Negative values count
    as zero; an empty map keeps its argmax.
    """
    cells, _ = largest_cells(maps)
    num_maps, height, width = maps.shape
    radius = max(1, round(2 * sigma))
    windows = []
    for i, side in enumerate((width, height)):
        places = cells[:, i, None] + np.arange(-radius, radius + 1)
        windows.append((np.clip(places, 0, side - 1), (places >= 0) & (places < side)))
    (columns, in_columns), (rows, in_rows) = windows
    values = np.maximum(maps[np.arange(num_maps)[:, None, None], rows[:, :, None], columns[:, None, :]], 0)
    mass_x = np.einsum("kyx,ky->kx", values, in_rows.astype(values.dtype)) * in_columns
    mass_y = np.einsum("kyx,kx->ky", values, in_columns.astype(values.dtype)) * in_rows
    mass, valid = np.concatenate([mass_x, mass_y]), np.concatenate([in_columns, in_rows])
    along_x, along_y = _cut_gaussian_centre(mass.astype(np.float64), valid, radius, sigma).reshape(2, -1)
    return _near(cells + 0.5 + np.stack([along_x, along_y], axis=1), cells, (width, height))


def _cut_gaussian_centre(mass: Array, valid: Array, radius: int, sigma: float) -> Array:
    """float64 (n,): centres c whose Gaussian, cut to the valid of -radius..radius, has the centroid of `mass`."""
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    powers = np.stack([np.ones_like(offsets), offsets, offsets**2], axis=1)
    total = mass.sum(1)
    centroid = mass @ offsets / np.where(total > 0, total, 1.0)
    centre = np.zeros(len(mass))
    for _ in range(_MAX_NEWTON):
        weights = np.exp((offsets - centre[:, None]) ** 2 * (-0.5 / sigma**2)) * valid
        norm, first, second = (weights @ powers).T
        mean = first / norm
        slope = np.maximum((second / norm - mean**2) / sigma**2, 1e-3)  # d mean / d centre
        known, centre = centre, np.clip(centre + (centroid - mean) / slope, -_MAX_STEP, _MAX_STEP)
        if np.abs(centre - known).max() < 1e-4:
            break
    return np.where(total > 0, centre, 0.0)


def peak_finder(decoder: str) -> PeakFinder:
    """The function of this name; ConfigError if there is none. All take (maps, sigma in cells)."""
    finders: dict[str, PeakFinder] = {"argmax": argmax, "dark": dark, "soft-argmax": soft_argmax}
    if decoder not in finders:
        raise ConfigError(f"no heatmap decoder is called {decoder!r}", choices=finders)
    return finders[decoder]


def _near(points: Array, cells: Array, sides: tuple[int, int]) -> Array:
    """Refined points, kept within `_MAX_STEP` of their cells' centres and within the grid."""
    kept = np.clip(points, cells + 0.5 - _MAX_STEP, cells + 0.5 + _MAX_STEP)
    return np.clip(kept, 0, np.array(sides, dtype=np.float64))
