"""What encodings of maps share: the grid of a stride, and outputs as arrays."""

import numpy as np
from torch import Tensor

from gensight.errors import ConfigError, DataError
from gensight.samples import Array, Sample, Size

MIN_KNOWN = 0.5  # share of a cell's area that must be known for it to be supervised


def grid_cells(model_size: Size, stride: int, what: str) -> Size:
    """(height, width) in cells of `stride` model pixels. ConfigError where they do not tile the frame."""
    if model_size[0] % stride or model_size[1] % stride:
        fits = [max(stride, round(side / stride) * stride) for side in model_size]
        raise ConfigError(
            f"a view of {model_size[0]} x {model_size[1]} is not a whole number of {what} cells of {stride}",
            hint=f"use a view of {fits[0]} x {fits[1]}, or another stride",
        )
    return model_size[0] // stride, model_size[1] // stride


def check_size(values: Array, sample: Sample, what: str) -> None:
    """Raises DataError where a label's size is not its image's."""
    if values.shape != tuple(sample.size):
        raise DataError(f"{what} of {values.shape} does not fit an image of {tuple(sample.size)}", where=sample.key)


def map_array(output: Tensor, channels: int, grid_size: Size, name: str) -> Array:
    """float32 (channels, grid_height, grid_width) of an output. ConfigError where it has another shape."""
    if tuple(output.shape) != (channels, *grid_size):
        raise ConfigError(f"`{name}` of shape {(channels, *grid_size)} was expected, got {tuple(output.shape)}")
    maps: Array = output.detach().float().cpu().numpy().astype(np.float32, copy=False)
    return maps
