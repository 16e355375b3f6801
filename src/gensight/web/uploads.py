"""What a visitor uploads, checked before a single pixel is decoded. Messages name no path of this machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import image_size, read_image
from gensight.samples import Sample, Size

MEGABYTE = 1_000_000
# First bytes of the formats that are read. Pillow would also take some that start other programs (PostScript).
_SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}
_STILLS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")  # brands of images in a video's container
VIDEO_FORMATS = ("MP4", "MOV", "MKV", "WebM", "AVI")
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")
_NAME_LENGTH = 80


@dataclass(frozen=True)
class Limits:
    """What is taken from a visitor.

    Attributes:
        max_pixels: Of one image or frame.
        max_megabytes: Of one file, in millions of bytes.
        max_frames: Of one video.
    """

    max_pixels: int = 40_000_000
    max_megabytes: float = 20.0
    max_frames: int = 3000

    @property
    def max_bytes(self) -> int:
        return round(self.max_megabytes * MEGABYTE)


def read_upload(content: bytes, name: str, limits: Limits) -> Sample:
    """An uploaded image as a Sample whose key is its name without suffix, made safe to be a file's name.

    Args:
        content: Of the file. Bytes, so that what is checked is what is decoded.
        name: What its owner called it.
        limits: Larger ones are refused.

    Returns:
        The sample; its pixels are decoded already.

    Raises:
        DataError: The name holds a path, or the file is too large, has too many pixels, or is no image that is read.
            `where` is the name that its owner knows.
    """
    key = safe_key(name)
    check_bytes(content, name, limits)
    _check_signature(content, name)
    try:
        check_pixels(image_size(content), name, limits)
        pixels = read_image(content)
    except DataError as error:
        raise DataError(error.what, where=name, hint=error.hint) from error
    return Sample(key, (pixels.shape[0], pixels.shape[1]), lambda: pixels)


def check_bytes(content: bytes, name: str, limits: Limits) -> None:
    """Raises DataError for a file that is too large."""
    if len(content) > limits.max_bytes:
        raise DataError(
            f"the file has {len(content) / MEGABYTE:.1f} MB, and at most {limits.max_megabytes:g} MB are taken",
            where=name,
            hint="shrink the image",
        )


def check_pixels(size: Size, name: str, limits: Limits) -> None:
    """Raises DataError for an image or a frame, (height, width), that is too large."""
    height, width = size
    if height * width > limits.max_pixels:
        raise DataError(
            f"the image has {_millions(height * width)} million pixels ({width} x {height}), and at most "
            f"{_millions(limits.max_pixels)} million are taken",
            where=name,
            hint="shrink the image",
        )


def safe_key(name: str) -> str:
    """The stem of a file's name, with nothing but letters, digits, `-`, `_` and `.`, and not hidden.

    Raises:
        DataError: The name holds a path.
    """
    if re.search(r"[/\\\0]", name) or name.strip() in (".", ".."):
        raise DataError(
            "the name of the file holds a path, and only plain names are taken", where=name, hint="rename the file"
        )
    key = re.sub(r"[^\w.-]+", "_", Path(name).stem).lstrip(".")[:_NAME_LENGTH]
    return key or "image"


def media_type(head: bytes) -> str | None:
    """Which of the formats that are read a file has, by its first 12 bytes; None for any other."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES.items() if head.startswith(start)), None)


def video_suffix(content: bytes) -> str | None:
    """The suffix of a video file by its first bytes; None for anything else.

    Three containers alone: other "videos" are lists that name further files to be opened.
    """
    if content[4:8] == b"ftyp" and content[8:12] not in _STILLS:
        return ".mp4"
    if content[:4] == b"\x1aE\xdf\xa3":
        return ".mkv"
    return ".avi" if content[:4] == b"RIFF" and content[8:12] == b"AVI " else None


def _check_signature(content: bytes, name: str) -> None:
    if media_type(content):
        return
    if not content:
        raise DataError("the file is empty", where=name, hint="choose an image")
    raise DataError(
        "the file is not an image or a video, whatever its name says",
        where=name,
        choices=(*FORMATS, *VIDEO_FORMATS),
        hint="choose a file of one of these formats",
    )


def _millions(pixels: int) -> str:
    return f"{pixels / 1e6:.3g}" if pixels < 1e9 else f"{pixels / 1e6:.0f}"
