"""Geometry of a depth camera and the colour camera beside it: points followed from view to view, depth registered.

Cameras are pinholes: a point (X, Y, Z) in camera coordinates (x right, y down, z forward, metres) falls on
((fx X + cx Z) / Z, (fy Y + cy Z) / Z) in continuous pixels. Depth is Z.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from gensight.geometry import pixel_centres
from gensight.samples import Array, Size


@dataclass(frozen=True, eq=False)
class Rig:
    """A depth camera and a colour camera that looks the same way.

    Attributes:
        depth: float64 (3, 3), intrinsics of the depth image.
        colour: float64 (3, 3), intrinsics of the colour image.
        offset: float64 (3,), metres: a point's coordinates in the colour camera minus those in the depth camera.
    """

    depth: Array
    colour: Array
    offset: Array

    def depth_to_colour(self, places: Array) -> Array:
        """float64 (n, 2): where points (n, 3) in coordinates of the depth camera fall in the colour image."""
        return project(places + self.offset, self.colour)

    def is_one(self, depth_size: Size, colour_size: Size) -> bool:
        """Whether both images show the same view, up to their size."""
        scale = np.array([colour_size[1] / depth_size[1], colour_size[0] / depth_size[0], 1.0])
        return not self.offset.any() and np.allclose(scale[:, None] * self.depth, self.colour)


def project(places: Array, intrinsics: Array) -> Array:
    """float64 (n, 2): pixels of points (n, 3) in camera coordinates; NaN behind the camera."""
    ahead = np.where(places[:, 2:] > 0, places[:, 2:], np.nan)
    return places[:, :2] / ahead * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]


def back_project(points: Array, depths: Array, intrinsics: Array) -> Array:
    """float64 (n, 3): camera coordinates of pixels (n, 2) at depths (n,)."""
    rays = (points - intrinsics[:2, 2]) / intrinsics[[0, 1], [0, 1]]
    return np.concatenate([rays, np.ones((len(points), 1))], axis=1) * depths[:, None]


def grid_points(size: Size, grid: Size) -> Array:
    """float64 (n, 2): centres of the cells of a grid over an image, row by row."""
    return (pixel_centres(grid) * [size[1] / grid[1], size[0] / grid[0]]).reshape(-1, 2)


def followable(points: Array, depth: Array, tolerance: float) -> tuple[Array, Array]:
    """(points (m, 2), their depths (m,)): those with a surface that a depth map is sure of.

    The depth of the 3 x 3 pixels around a point must be known and vary by at most `tolerance` of it, since depth maps
    are least certain at outlines. `points` are float64 (n, 2) pixels of the depth map, `depth` float32 metres.
    """
    steps = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    height, width = depth.shape
    around = (points[:, None] + steps).clip(0, [width - 1e-6, height - 1e-6])
    values = depth_at(depth, around.reshape(-1, 2)).reshape(len(points), 9)
    middle = values[:, 4]
    steady = values.max(1) - values.min(1) <= tolerance * middle  # False where any is NaN
    return points[steady], middle[steady]


def visible(places: Array, depth: Array, intrinsics: Array, tolerance: float) -> Array:
    """bool (n,): whether a depth map sees points (n, 3) in its camera's coordinates.

    A point must fall into the map, and the depth there agree with its own within `tolerance` of it: something nearer
    hides it, and where it is farther the surface has moved or was measured wrongly.
    """
    there = depth_at(depth, project(places, intrinsics))
    return np.abs(there - places[:, 2]) <= tolerance * places[:, 2]  # False where either is NaN


def depth_at(depth: Array, points: Array) -> Array:
    """float64 (n,): depth of the pixels that points (n, 2) lie in; NaN outside."""
    height, width = depth.shape
    cells = np.floor(np.nan_to_num(points, nan=-1.0)).clip(-1, max(width, height))
    x, y = cells.astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    values = depth[y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float64)
    return np.where(inside, values, np.nan)


def register(depth: Array, rig: Rig, colour_size: Size) -> Array:
    """A depth map as the colour camera sees it: float32 (height, width) of the colour image, NaN where unknown.

    Where both show the same view it is resized without blending (a mean of two surfaces lies on neither). Otherwise
    every measured point is moved over; of several in a pixel the nearest is kept, and pixels that none falls into stay
    unknown.
    """
    size = (depth.shape[0], depth.shape[1])
    if rig.is_one(size, colour_size):
        if size == colour_size:
            return depth
        return np.asarray(cv2.resize(depth, colour_size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
    # In float32 and one axis at a time: this runs on every pixel of every sample.
    focal, centre = rig.colour[[0, 1], [0, 1]].astype(np.float32), rig.colour[:2, 2].astype(np.float32)
    rays = [
        (np.arange(count, dtype=np.float32) + np.float32(0.5 - rig.depth[axis, 2])) / np.float32(rig.depth[axis, axis])
        for axis, count in ((0, size[1]), (1, size[0]))
    ]
    offset = rig.offset.astype(np.float32)
    ahead = depth + offset[2]
    with np.errstate(invalid="ignore", divide="ignore"):
        x = (rays[0][None] * depth + offset[0]) / ahead * focal[0] + centre[0]
        y = (rays[1][:, None] * depth + offset[1]) / ahead * focal[1] + centre[1]
        inside = (x >= 0) & (y >= 0) & (x < colour_size[1]) & (y < colour_size[0]) & (ahead > 0)
    cells = y[inside].astype(np.int64) * colour_size[1] + x[inside].astype(np.int64)
    moved = np.full(colour_size[0] * colour_size[1], np.inf, dtype=np.float32)
    np.minimum.at(moved, cells, ahead[inside])
    moved[np.isinf(moved)] = np.nan
    return moved.reshape(colour_size)
