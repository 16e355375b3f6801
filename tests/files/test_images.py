"""Every usual kind of image file becomes upright uint8 RGB, or is refused by name."""

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from gensight.errors import BrokenImageError, DataError, FileWarning
from gensight.files.images import image_size, page_seconds, read_image, write_image
from gensight.files.videos.reading import is_video, open_video

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


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colour_are_scaled_to_eight(tmp_path, name, channels):
    deep = RNG.integers(0, 65536, (6, 9, channels), dtype=np.uint16)
    deep[..., 3:] = 65535
    cv2.imwrite(str(tmp_path / name), deep[..., [2, 1, 0, 3][:channels]])
    np.testing.assert_array_equal(read_image(tmp_path / name), np.rint(deep[..., :3] / 257).astype(np.uint8))


def test_floating_point_pixels_are_shares_of_white(tmp_path):
    shares = (COLOUR / 255).astype(np.float32)
    Image.fromarray(shares[..., 0]).save(tmp_path / "grey.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.tif")[..., 2], COLOUR[..., 0])
    cv2.imwrite(str(tmp_path / "colour.tif"), shares[..., ::-1])  # Pillow has no mode for it
    np.testing.assert_array_equal(read_image(tmp_path / "colour.tif"), COLOUR)
    assert image_size(tmp_path / "colour.tif") == (6, 9)
    for number, wrong in enumerate((shares[..., 0] * 255, -shares[..., 0], np.full((2, 2), np.nan, np.float32))):
        Image.fromarray(wrong).save(tmp_path / f"{number}.tif")
        with pytest.raises(BrokenImageError, match=r"floating-point pixels outside \[0, 1\]"):
            read_image(tmp_path / f"{number}.tif")


def _warned(read):
    """What reading gives, and the FileWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = read()
    return image, [str(one.message) for one in caught if issubclass(one.category, FileWarning)]


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_twelve_bits_in_sixteen_are_warned_of_and_read_by_a_rule(tmp_path, monkeypatch, kind):
    pixels = COLOUR.astype(np.uint16) * 16
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), pixels[..., 0] if kind == "grey" else pixels[..., ::-1])
    image, warned = _warned(lambda: read_image(path))
    assert image.max() <= 16
    assert len(warned) == 1
    assert "nearly black" in warned[0]
    assert str(path) in warned[0]
    monkeypatch.setenv("GENSIGHT_IMAGES", "bits=12")
    image, warned = _warned(lambda: read_image(path))
    expected = np.rint(COLOUR * 16.0 * 255 / 4095)
    np.testing.assert_array_equal(image[..., 0], expected[..., 0])
    np.testing.assert_array_equal(image[..., 2], expected[..., 0 if kind == "grey" else 2])
    assert not warned
    monkeypatch.setenv("GENSIGHT_IMAGES", "bits=10")
    with pytest.raises(BrokenImageError, match="pixels of more than 10 bits"):
        read_image(path)


@pytest.mark.parametrize("alpha", [0, 128])
def test_colours_that_are_equally_transparent_everywhere_are_kept(tmp_path, alpha):
    Image.fromarray(np.dstack([COLOUR, np.full((6, 9), alpha, np.uint8)])).save(tmp_path / "a.png")
    image, warned = _warned(lambda: read_image(tmp_path / "a.png"))
    np.testing.assert_array_equal(image, COLOUR)
    assert "equally transparent" in warned[0]


def test_hidden_colours_are_reported(tmp_path):
    alpha = np.full((6, 9), 255, np.uint8)
    alpha[:, :4] = 0
    Image.fromarray(np.dstack([COLOUR, alpha])).save(tmp_path / "a.png")
    image, warned = _warned(lambda: read_image(tmp_path / "a.png"))
    assert (image[:, :4] == 255).all()
    np.testing.assert_array_equal(image[:, 4:], COLOUR[:, 4:])
    assert "under full transparency" in warned[0]


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png"])
def test_the_pages_of_a_file_are_named_and_can_be_read(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    pages = [Image.fromarray(np.full((6, 9, 3), 40 * number, np.uint8)) for number in range(5)]
    options = {"lossless": True} if suffix == "webp" else {}
    pages[0].save(
        path, save_all=True, append_images=pages[1:], **({} if suffix == "tif" else {"duration": 50}), **options
    )
    image, warned = _warned(lambda: read_image(path))
    assert image.max() == 0
    assert "only the first page is read" in warned[0]
    assert page_seconds(path) == [0.0]
    assert not is_video(path)
    monkeypatch.setenv("GENSIGHT_IMAGES", "pages=all")
    np.testing.assert_allclose(page_seconds(path), np.arange(5) * (0.1 if suffix == "tif" else 0.05))
    assert is_video(path)
    video = open_video(path)
    assert [frame[0, 0, 0] for frame in video.frames()] == [0, 40, 80, 120, 160]
    assert [video.frame(index)[0, 0, 0] for index in (4, 1, 3)] == [160, 40, 120]
    assert not _warned(lambda: read_image(path))[1]


def test_smaller_copies_are_no_pages(tmp_path):
    pages = [Image.new("RGB", (size, size)) for size in (64, 32, 16)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert page_seconds(tmp_path / "a.tif", all_pages=True) == [0.0]


def test_the_orientation_can_be_ignored(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    assert image_size(tmp_path / "a.png") == (9, 6)
    monkeypatch.setenv("GENSIGHT_IMAGES", "exif=ignore")
    assert image_size(tmp_path / "a.png") == (6, 9)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), COLOUR)


def test_a_limit_of_pixels_can_be_raised_or_lowered(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((14_000, 14_000), bool)).save(tmp_path / "scan.png")
    Image.fromarray(np.zeros((10_000, 10_000), bool)).save(tmp_path / "smaller.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    assert image_size(tmp_path / "smaller.png") == (10_000, 10_000)
    with pytest.raises(BrokenImageError, match="too many pixels") as caught:
        image_size(tmp_path / "scan.png")
    assert "GENSIGHT_IMAGES=max_pixels=" in caught.value.what  # lists of many images show that alone
    with pytest.raises(BrokenImageError) as caught:
        image_size((tmp_path / "scan.png").read_bytes())  # of a visitor
    assert "GENSIGHT_IMAGES" not in str(caught.value)
    assert caught.value.hint == "shrink the image"
    monkeypatch.setenv("GENSIGHT_IMAGES", "max_pixels=4e8")
    assert image_size(tmp_path / "scan.png") == (14_000, 14_000)
    monkeypatch.setenv("GENSIGHT_IMAGES", "max_pixels=1000000")
    with pytest.raises(BrokenImageError, match="too many pixels: 10000 x 10000"):
        image_size(tmp_path / "smaller.png")


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.png")  # opening it would wait for ever
    (tmp_path / "b.png").mkdir()
    for name in ("a.png", "b.png"):
        with pytest.raises(BrokenImageError, match="not a regular file"):
            read_image(tmp_path / name)
    (tmp_path / "c.png").symlink_to("nothing")
    with pytest.raises(BrokenImageError, match="image not found"):
        read_image(tmp_path / "c.png")


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
