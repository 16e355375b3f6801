"""Maps in perceptually even colours: depth by itself, heatmaps over their image."""

import cv2
import numpy as np

from gensight.drawing import canvas as draw
from gensight.errors import DataError
from gensight.geometry import map_grid_to_image
from gensight.samples import Array, Depth, ScoreMap

_UNKNOWN = 128  # grey


def draw_depth(depth: Depth, limits: tuple[float, float] | None = None) -> Array:
    """A depth map as a picture: near is bright yellow, far is dark violet (`viridis`), unknown is grey.

    Args:
        depth: Values (height, width), NaN where unknown.
        limits: (near, far) in the map's unit; by default the 2nd and 98th percentile of its known values.

    Returns:
        uint8 RGB (height, width, 3).
    """
    values = np.asarray(depth.values, dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        return np.full((*values.shape, 3), _UNKNOWN, dtype=np.uint8)
    near, far = limits if limits is not None else np.percentile(values[known], [2, 98])
    nearness = 1 - (np.where(known, values, near) - near) / max(far - near, 1e-12)
    picture = _coloured(nearness, cv2.COLORMAP_VIRIDIS)
    picture[~known] = _UNKNOWN
    return picture


def draw_heatmaps(
    image: Array, maps: ScoreMap, limits: tuple[float, float] | None = None, opacity: float = 0.8
) -> Array:
    """The maximum over a map's channels, over the image it was computed from (`inferno`, clear where it is low).

    Args:
        image: uint8 RGB or grey, of the size that the map's view was made for.
        maps: values (channels, grid_height, grid_width).
        limits: (clear, opaque) values; by default 0 and the largest value.
        opacity: Of the highest values, in [0, 1].

    Raises:
        DataError: The map belongs to an image of another size.
    """
    picture = draw.as_canvas(image)
    if picture.shape[:2] != tuple(maps.view.image_size):
        raise DataError(
            f"a map made for an image of size {tuple(maps.view.image_size)} cannot be drawn on {picture.shape[:2]}",
            hint="draw on the upright image that was predicted, at its own size",
        )
    heat = map_grid_to_image(np.nan_to_num(maps.values).max(0), maps.view)
    low, high = limits if limits is not None else (0.0, float(heat.max()))
    share = np.clip((heat - low) / max(high - low, 1e-12), 0, 1)
    alpha = (opacity * share**0.5)[..., None]
    return np.rint(picture * (1 - alpha) + _coloured(share, cv2.COLORMAP_INFERNO) * alpha).astype(np.uint8)


def map_picture(score: ScoreMap) -> Array:
    """uint8 (height, width, channels) of a map in [0, 1] that is a picture, in the size of its image."""
    maps = np.stack([map_grid_to_image(channel, score.view) for channel in score.values], axis=-1)
    return grey(maps)


def grey(values: Array) -> Array:
    """uint8 of values in [0, 1]; NaN is black."""
    return np.rint(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)


def _coloured(share: Array, colour_map: int) -> Array:
    """uint8 RGB (height, width, 3) of values in [0, 1]."""
    return np.ascontiguousarray(cv2.applyColorMap(grey(share), colour_map)[..., ::-1])
