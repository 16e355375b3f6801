"""Every usual kind of image file becomes upright uint8 RGB, or is refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from gensight.errors import DataError
from gensight.files.images import image_size, read_image, write_image

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture that JPEG keeps well, with no symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x * y) * 255 // (width * height)], axis=-1).astype(np.uint8)


def test_png_round_trip_is_exact(tmp_path):
    write_image(tmp_path / "a.png", COLOUR)
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image, COLOUR)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image_size(tmp_path / "a.png") == (6, 9)


def test_jpeg_round_trip_is_close(tmp_path):
    write_image(tmp_path / "a.jpg", smooth())
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth()).max() <= 12


def test_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no image format for the suffix `\.xyz`"):
        write_image(tmp_path / "a.xyz", COLOUR)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_colour_modes_become_rgb(tmp_path, mode):
    original = Image.fromarray(smooth()).convert(mode)
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    original.save(path)
    image = read_image(path)
    assert image.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - np.asarray(original.convert("RGB"))).mean() < 4


def test_grey_has_three_equal_channels(tmp_path):
    grey = COLOUR[..., 0]
    write_image(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, name):
    deep = np.array([[0, 257, 65535], [128 * 257, 200, 40000]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / name)
    expected = np.rint(deep / 257).astype(np.uint8)
    np.testing.assert_array_equal(read_image(tmp_path / name)[..., 0], expected)


def test_float_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="floating-point pixels"):
        read_image(tmp_path / "a.tif")


def test_transparency_is_laid_over_white(tmp_path):
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = [0, 255, 128]
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    assert read_image(tmp_path / "rgba.png")[0, :, 0].tolist() == [255, 0, 127]
    Image.fromarray(pixels[..., [0, 3]]).save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png")[0, :, 1].tolist() == [255, 0, 127]


def test_transparent_palette_colour_is_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == expected.shape[:2]


def test_exif_after_the_pixels_of_a_png_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "early.png", exif=exif)
    data = (tmp_path / "early.png").read_bytes()
    start = data.index(b"eXIf") - 4
    stop = start + 12 + int.from_bytes(data[start : start + 4], "big")
    end = data.index(b"IEND") - 4
    (tmp_path / "late.png").write_bytes(data[:start] + data[stop:end] + data[start:stop] + data[end:])
    np.testing.assert_array_equal(read_image(tmp_path / "late.png"), read_image(tmp_path / "early.png"))
    assert image_size(tmp_path / "late.png") == (9, 6)


def test_the_size_is_read_without_decoding(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", COLOUR)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("pixels were decoded"))
    assert image_size(tmp_path / "a.png") == (6, 9)


def test_nonsense_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), COLOUR)


def test_one_pixel(tmp_path):
    write_image(tmp_path / "a.png", np.full((1, 1, 3), 7, np.uint8))
    assert read_image(tmp_path / "a.png").tolist() == [[[7, 7, 7]]]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_truncated_file_is_refused(tmp_path, name):
    whole = tmp_path / ("whole" + Path(name).suffix)
    Image.fromarray(RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(whole)
    data = whole.read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="image") as caught:
        read_image(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert "truncated" in caught.value.hint


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    for read in (read_image, image_size):
        with pytest.raises(DataError, match="the image file is empty"):
            read(tmp_path / "a.jpg")


def test_text_is_not_an_image(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(DataError, match="not an image that can be read"):
        read_image(tmp_path / "a.jpg")


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(DataError, match="image not found"):
        read_image(tmp_path / "a.jpg")


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="too many pixels"):
        read_image(tmp_path / "a.png")
