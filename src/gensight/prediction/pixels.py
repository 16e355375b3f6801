"""Arrays as images: uint8 RGB, by one rule."""

from typing import Any

import numpy as np
from PIL import Image

from gensight.errors import DataError
from gensight.samples import Array

_SHAPES = ("(height, width)", "(height, width, 1)", "(height, width, 3)", "(height, width, 4)")


def rgb_pixels(values: Any, name: str = "image") -> Array:
    """uint8 RGB (height, width, 3) of an array.

    uint8 stays as it is; floats are shares in [0, 1]. Grey is repeated; RGBA is laid over white, as in files.

    Args:
        values: (height, width), or (height, width, 1, 3 or 4) with the channels last.
        name: Of the image, for messages.

    Raises:
        DataError: Another shape, another type of numbers, or floats outside [0, 1].
    """
    array = np.asarray(values)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        hint = "give several images as a list" if array.ndim == 4 else "put the channels last"
        raise DataError(f"an array of shape {np.shape(values)} is no image", where=name, choices=_SHAPES, hint=hint)
    pixels = _bytes(array, name)
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.float64) / 255
        pixels = np.rint(alpha * pixels[..., :3] + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2))


def _bytes(array: Array, name: str) -> Array:
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        hint = "convert it to uint8, or to floats in [0, 1]"
        raise DataError(f"pixels of type {array.dtype} have no known range", where=name, hint=hint)
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        hint = "divide by the largest possible value, or convert to uint8"
        raise DataError("floating-point pixels must lie in [0, 1]", where=name, hint=hint)
    return np.rint(255 * array).astype(np.uint8)


def as_arrays(images: Any) -> Any:
    """What a Python user gives, with PIL images and torch's tensors (channels first, as torch has them) as arrays."""
    if isinstance(images, list | tuple):
        return type(images)(as_arrays(one) for one in images)
    if isinstance(images, Image.Image):
        return np.asarray(images if images.mode in ("L", "RGB", "RGBA") else images.convert("RGBA"))
    if type(images).__module__ == "torch" and hasattr(images, "detach"):
        array = images.detach().cpu().numpy()
        return np.moveaxis(array, 0, -1) if array.ndim == 3 and array.shape[0] in (1, 3, 4) else array
    return images
