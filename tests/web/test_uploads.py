"""What is taken from a visitor, and how the rest is refused."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.web.uploads import Limits, read_upload, safe_key


def huge_png(path: Path, width: int = 20_000, height: int = 15_000) -> Path:
    """A file of a few kilobytes whose header says 300 megapixels, and which is otherwise valid."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_image(tmp_path / "cat.png", np.full((30, 40, 3), 200, np.uint8))
    return tmp_path / "cat.png"


def test_an_image_is_read_under_a_safe_name(picture: Path) -> None:
    sample = read_upload(picture.read_bytes(), "my cat: the 2nd.png", Limits())

    assert sample.key == "my_cat_the_2nd"
    assert sample.size == (30, 40)
    assert sample.image().mean() == 200


def test_300_megapixels_are_refused_from_the_header_alone(tmp_path: Path) -> None:
    path = huge_png(tmp_path / "huge.png")

    with pytest.raises(DataError, match="too many pixels") as caught:
        read_upload(path.read_bytes(), "huge.png", Limits(max_pixels=400_000_000))

    assert caught.value.where == "huge.png"
    assert path.stat().st_size < 100_000


def test_more_pixels_than_are_taken_are_refused(picture: Path) -> None:
    with pytest.raises(DataError, match=r"0\.0012 million pixels \(40 x 30\), and at most 0\.001 million are taken"):
        read_upload(picture.read_bytes(), "cat.png", Limits(max_pixels=1000))


def test_a_text_named_jpg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_text("I am a text")

    with pytest.raises(DataError, match="not an image or a video, whatever its name says") as caught:
        read_upload(path.read_bytes(), "holiday.jpg", Limits())

    assert caught.value.where == "holiday.jpg"
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("head", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6" + bytes(30), b"<svg></svg>"])
def test_formats_that_start_programs_are_never_opened(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "drawing.png"
    path.write_bytes(head)

    with pytest.raises(DataError, match="not an image"):
        read_upload(path.read_bytes(), "drawing.png", Limits())


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff"])
def test_every_promised_format_is_read(tmp_path: Path, kind: str) -> None:
    from PIL import Image

    Image.new("RGB", (12, 8), (200, 10, 10)).save(tmp_path / "stored", format=kind)

    assert read_upload((tmp_path / "stored").read_bytes(), f"a.{kind}", Limits()).size == (8, 12)


def test_an_empty_and_a_truncated_file_are_refused(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:60])

    with pytest.raises(DataError, match="the file is empty"):
        read_upload((tmp_path / "empty.png").read_bytes(), "empty.png", Limits())
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_upload((tmp_path / "half.png").read_bytes(), "half.png", Limits())


def test_a_file_of_too_many_bytes_is_refused(picture: Path) -> None:
    with pytest.raises(DataError, match=r"the file has 0\.0 MB, and at most 1e-05 MB are taken"):
        read_upload(picture.read_bytes(), "cat.png", Limits(max_megabytes=0.00001))


@pytest.mark.parametrize("name", ["../../etc/passwd.png", "/etc/passwd", "..\\..\\secret.png", "a\0b.png", ".."])
def test_a_path_in_a_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="the name of the file holds a path, and only plain names are taken"):
        safe_key(name)


@pytest.mark.parametrize(
    ("name", "key"), [(".hidden.png", "hidden"), ("...", "image"), ("ä b.jpg", "ä_b"), ("x" * 300, "x" * 80)]
)
def test_keys_are_plain_names(name: str, key: str) -> None:
    assert safe_key(name) == key
