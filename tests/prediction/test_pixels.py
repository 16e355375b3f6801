"""Arrays of Python users as images: what is taken, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from gensight.errors import DataError
from gensight.prediction.pixels import as_arrays, rgb_pixels

RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_bytes_stay_and_shares_become_bytes() -> None:
    np.testing.assert_array_equal(rgb_pixels(RGB), RGB)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(rgb_pixels((RGB / 255).astype(kind)), RGB)


def test_grey_is_repeated() -> None:
    for grey in (RGB[..., 0], RGB[..., :1]):
        np.testing.assert_array_equal(rgb_pixels(grey), np.repeat(RGB[..., :1], 3, axis=2))


def test_transparency_is_laid_over_white() -> None:
    alpha = np.array([[0, 255, 51, 255]] * 2, np.uint8)
    pixels = rgb_pixels(np.dstack([RGB, alpha]))
    np.testing.assert_array_equal(pixels[:, 0], 255)
    np.testing.assert_array_equal(pixels[:, 1], RGB[:, 1])
    np.testing.assert_allclose(pixels[:, 2], 0.2 * RGB[:, 2] + 0.8 * 255, atol=0.5)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4, 3), np.uint8), r"shape \(2, 3, 4, 3\) is no image[\s\S]*as a list"),
        (np.zeros((3, 40, 50), np.uint8), r"shape \(3, 40, 50\) is no image[\s\S]*channels last"),
        (np.zeros((0, 4, 3), np.uint8), "is no image"),
        (np.zeros(5, np.uint8), "is no image"),
        (np.zeros((4, 4, 3), np.uint16), "pixels of type uint16 have no known range"),
        (np.zeros((4, 4, 3), bool), "pixels of type bool"),
        (np.full((4, 4, 3), 1.5), r"must lie in \[0, 1\]"),
        (np.full((4, 4, 3), -0.1), r"must lie in \[0, 1\]"),
        (np.full((4, 4, 3), np.nan), r"must lie in \[0, 1\]"),
    ],
)
def test_anything_else_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rgb_pixels(array)


def test_pil_images_and_tensors_are_arrays() -> None:
    np.testing.assert_array_equal(as_arrays(Image.fromarray(RGB)), RGB)
    np.testing.assert_array_equal(rgb_pixels(as_arrays(Image.fromarray(RGB).convert("P"))).shape, RGB.shape)
    first = torch.from_numpy(np.moveaxis(RGB, -1, 0).copy())
    [taken, path] = as_arrays([first, "a.png"])
    np.testing.assert_array_equal(taken, RGB)
    assert path == "a.png"
