"""Image files: any of the usual kinds -> upright uint8 RGB, and back."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.samples import Array, Size

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm"})

Source = str | Path | bytes  # a file, or what it holds

_ORIENTATION = 0x0112  # EXIF tag
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError)
_BROKEN = "is the file truncated, or something else than an image? Replace or remove it"


def read_image(source: Source) -> Array:
    """Reads an image file.

    EXIF orientation is applied; grey, palette, CMYK and 16-bit images (scaled to 8 bits) become RGB; transparency is
    laid over white. Of an animation the first frame is read.

    Returns:
        uint8 (height, width, 3), RGB, upright, C-contiguous and writable.

    Raises:
        DataError: The file is missing, empty, truncated, not an image, or too large to be an honest one.
    """
    with _open(source) as image:
        try:
            orientation = _orientation(image, source)
            array = _to_rgb(image, source)
        except _UNREADABLE as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise DataError(f"cannot be read as an image: {reason}", where=_where(source), hint=_BROKEN) from error
    return np.ascontiguousarray(_turn(array, orientation))


def image_size(source: Source) -> Size:
    """(height, width) of the upright image, from the file's header alone.

    Raises:
        DataError: As `read_image`, as far as the header shows it.
    """
    with _open(source) as image:
        width, height = image.size
        return (width, height) if _orientation(image, source) >= 5 else (height, width)


def write_image(path: str | Path, array: Array) -> None:
    """Writes uint8 RGB (height, width, 3) or grey (height, width) atomically, in the format that the suffix names.

    PNG is exact; JPEG is written at quality 95 without colour subsampling.

    Raises:
        DataError: The suffix names no image format.
        ResourceError: The disk is full.
    """
    path = Path(path)
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    if path.suffix.lower() not in formats:
        raise DataError(f"no image format for the suffix `{path.suffix}`", where=path, choices=sorted(formats))
    options = {"compress_level": 3} if path.suffix.lower() == ".png" else {"quality": 95, "subsampling": 0}
    image = Image.fromarray(np.ascontiguousarray(array))
    with atomic_path(path) as temporary:
        image.save(temporary, format=formats[path.suffix.lower()], **options)


def _open(source: Source) -> Image.Image:
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise DataError("image not found", where=_where(source)) from error
    except Image.DecompressionBombError as error:
        hint = "shrink the image, or remove it"
        raise DataError("the image has too many pixels to be an honest one", where=_where(source), hint=hint) from error
    except _UNREADABLE as error:
        empty = not source if isinstance(source, bytes) else Path(source).is_file() and not Path(source).stat().st_size
        what = "the image file is empty" if empty else "not an image that can be read"
        raise DataError(what, where=_where(source), hint=_BROKEN) from error


def _where(source: Source) -> str | Path | None:
    """The file that an error names."""
    return None if isinstance(source, bytes) else source


def _orientation(image: Image.Image, source: Source) -> int:
    """EXIF orientation 1 to 8, without decoding pixels; 1 where it is missing or damaged: the pixels may be good."""
    try:
        # The general method: PNG's own one decodes the whole image to see whether EXIF follows the pixels.
        exif = Image.Image.getexif(image)
        if image.format == "PNG" and "exif" not in image.info:
            exif.load(b"Exif\0\0" + _late_exif(source))
        value = exif.get(_ORIENTATION, 1)
    except _UNREADABLE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _late_exif(source: Source) -> bytes:
    """The content of a PNG file's EXIF chunk, found by stepping over the others; empty if there is none."""
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, 1)
    return b""


def _turn(array: Array, orientation: int) -> Array:
    """Stored pixels -> upright pixels. Orientations 5 to 8 swap the sides, the others only mirror."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _to_rgb(image: Image.Image, source: Source) -> Array:
    """Stored pixels as uint8 RGB."""
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        pixels = np.array(image)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    if image.mode.startswith("I"):
        return _deep_to_rgb(np.asarray(image), source)
    if image.mode == "F":
        hint = "save it with 8 or 16 bits per channel"
        raise DataError(
            "the image holds floating-point pixels, whose range is unknown", where=_where(source), hint=hint
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return np.array(Image.alpha_composite(white, image))[..., :3]
    return np.array(image.convert("RGB"))


def _deep_to_rgb(pixels: Array, source: Source) -> Array:
    """16-bit grey, which Pillow may hand over in 32-bit integers, scaled to 8 bits."""
    if pixels.min() < 0 or pixels.max() > 65535:
        hint = "save it with 8 or 16 bits per channel"
        raise DataError("the image holds 32-bit pixels, whose range is unknown", where=_where(source), hint=hint)
    grey = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
