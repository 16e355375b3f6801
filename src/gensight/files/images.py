"""Image files: any of the usual kinds -> upright uint8 RGB, and back."""

import io
import os
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from gensight.errors import BrokenImageError, ConfigError, DataError, FileWarning, did_you_mean, first_line
from gensight.files.atomic import atomic_path
from gensight.samples import Array, Size

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm"})

VARIABLE = "GENSIGHT_IMAGES"
_EXAMPLE = f"for example {VARIABLE}=bits=12,max_pixels=400e6"


@dataclass(frozen=True)
class ImageRules:
    """How image files are read; the same for all commands on the same images.

    Attributes:
        bits: Of deep pixels (16 bits in the file): the largest value, white, is 2**bits - 1.
        pages: Of a TIFF or GIF with several pages: the `first`, or `all`, each as a frame of its own.
        exif: Whether the EXIF orientation of a photograph is applied (`apply`) or not (`ignore`); labels are of the
            image so read.
        max_pixels: Files with more pixels are refused. `serve` has its own limits for uploads.
    """

    bits: int = 16
    pages: str = "first"
    exif: str = "apply"
    max_pixels: int = 178_956_970  # twice Pillow's limit, beyond which it refuses


_CHOICES = {"bits": [str(bits) for bits in range(8, 17)], "pages": ["first", "all"], "exif": ["apply", "ignore"]}


def image_rules() -> ImageRules:
    """The rules of this process, and of those that it starts.

    Raises:
        ConfigError: The variable names no rule, or no value of one.
    """
    return _parse(os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=8)
def _parse(text: str) -> ImageRules:
    values: dict[str, int | str] = {}
    names = [field.name for field in fields(ImageRules)]
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in names:
            hint = did_you_mean(name, names) or _EXAMPLE
            raise ConfigError(f"there is no rule `{name}`", where=VARIABLE, choices=names, hint=hint)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigError(f"unknown value '{value}'", where=f"{VARIABLE}, {name}", choices=_CHOICES[name])
        try:
            values[name] = int(float(value)) if name in ("bits", "max_pixels") else value
        except (ValueError, OverflowError):
            values[name] = 0
        if name == "max_pixels" and int(values[name]) < 1:
            raise ConfigError(f"`{value}` is no number of pixels", where=f"{VARIABLE}, {name}", hint=_EXAMPLE)
    rules = ImageRules(**values)  # type: ignore[arg-type]
    if "max_pixels" in values:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, rules.max_pixels)  # the rule itself is checked, too
    return rules


PAGE_SUFFIXES = frozenset({".tif", ".tiff", ".gif", ".webp", ".png"})
PAGED = ("TIFF", "GIF", "WEBP", "PNG")  # not MPO: what follows a photograph there is no page
NEARLY_BLACK = 16  # of 255: what 12 bits come to in a file of 16

# An image within the limit is no attack, however large.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Source = str | Path | bytes  # a file, or what it holds

_ORIENTATION = 0x0112  # EXIF tag
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError)
_BROKEN = "is the file truncated, or something else than an image? Replace or remove it"


def read_image(source: Source, page: int | None = None) -> Array:
    """Reads an image file.

    - EXIF orientation is applied; grey, palette and CMYK images become RGB.
    - 16-bit pixels are scaled to 8 bits, white being 65,535; floating-point pixels are shares of white, in [0, 1].
    - Transparency is laid over white. Where it is the same everywhere it says nothing, and the colours are kept.
    - Of a file with several pages `page` is read, or the first.

    `GENSIGHT_IMAGES` has other rules (`ImageRules`). A FileWarning says where an image may not be what its owner
    expects: one page of several, nearly black, colours that were hidden.

    Returns:
        uint8 (height, width, 3), RGB, upright, C-contiguous and writable.

    Raises:
        BrokenImageError: The file is missing, empty, truncated, not an image, or has too many pixels.
    """
    with _open(source) as image:
        try:
            orientation = _orientation(image, source)
            if getattr(image, "is_animated", False) and image.format in PAGED:
                if page is not None:
                    image.seek(page)
                elif image_rules().pages != "all":
                    _warn(f"only the first page is read; {VARIABLE}=pages=all reads each as a frame", source)
            array = _to_rgb(image, source)
        except _UNREADABLE as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise BrokenImageError(
                f"cannot be read as an image: {reason}", where=_where(source), hint=_BROKEN
            ) from error
    return np.ascontiguousarray(_turn(array, orientation))


def page_seconds(source: str | Path, all_pages: bool | None = None) -> list[float]:
    """When each page of a file is shown, after the first; one page where it has no others, or they are not to be read.

    Smaller copies of the first page are not counted. Pages without times follow each other at 10 per second.

    Args:
        source: The file.
        all_pages: Whether they are to be read; None: as `ImageRules` have it.
    """
    wanted = image_rules().pages == "all" if all_pages is None else all_pages
    if not wanted or Path(source).suffix.lower() not in PAGE_SUFFIXES:
        return [0.0]
    with _open(source) as image:
        size, times = image.size, [0.0]
        try:
            while image.format in PAGED:
                if image.format == "WEBP":
                    image.load()  # states the duration
                shown = image.info.get("duration") or 100  # milliseconds
                image.seek(len(times))
                if image.size != size:
                    break
                times.append(times[-1] + shown / 1000)
        except _UNREADABLE:
            pass
    return times


def image_size(source: Source) -> Size:
    """(height, width) of the upright image, from the file's header alone.

    Raises:
        BrokenImageError: As `read_image`, as far as the header shows it.
    """
    with _open(source) as image:
        width, height = image.size
        return (width, height) if _orientation(image, source) >= 5 else (height, width)


def is_turned(source: Source) -> bool:
    """Whether the EXIF orientation changes the image, by turning or mirroring it, and is applied."""
    with _open(source) as image:
        return _orientation(image, source) != 1


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
    rules, where = image_rules(), _where(source)
    if where is not None and Path(where).exists() and not Path(where).is_file():  # opening a fifo waits for ever
        raise BrokenImageError("not a regular file", where=where, hint="remove it, or name an image file")
    try:
        image: Image.Image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise BrokenImageError("image not found", where=where) from error
    except Image.DecompressionBombError as error:
        raise _too_large("the image has too many pixels", where) from error
    except _UNREADABLE as error:
        deep = _float_tiff(source)
        if deep is None:
            empty = not source if isinstance(source, bytes) else where is not None and not Path(where).stat().st_size
            what = "the image file is empty" if empty else "not an image that can be read"
            raise BrokenImageError(what, where=where, hint=_BROKEN) from error
        image = deep
    if image.width * image.height > rules.max_pixels:
        image.close()
        raise _too_large(f"the image has too many pixels: {image.width} x {image.height}", where)
    return image


def _too_large(what: str, where: str | Path | None) -> BrokenImageError:
    own = "" if where is None else f" ({VARIABLE}=max_pixels=400e6 allows more, for files of your own)"
    return BrokenImageError(f"{what}{own}", where=where, hint="shrink the image")


class _Decoded(Image.Image):
    """An image whose pixels OpenCV decodes: a TIFF of floating-point colours, for which Pillow has no mode."""

    pixels: Callable[[], Array]


def _float_tiff(source: Source) -> Image.Image | None:
    """The size of a TIFF that Pillow knows no mode for, and how its pixels are read; None for anything else."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            head = file.read(8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(head)
            file.seek(tags.next)
            tags.load(file)
            width, height = int(tags[TiffImagePlugin.IMAGEWIDTH]), int(tags[TiffImagePlugin.IMAGELENGTH])
    except _UNREADABLE:
        return None
    image = _Decoded()
    image._size, image._mode, image.format = (width, height), "RGB", "TIFF"
    image.pixels = partial(_decode, source)
    return image


def _decode(source: Source) -> Array:
    """Pixels as they are stored, of any type, (height, width) or RGB."""
    data = np.frombuffer(source if isinstance(source, bytes) else Path(source).read_bytes(), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ValueError(first_line(error)) from error
    if pixels is None:
        raise ValueError("its pixels cannot be decoded")
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])


def _where(source: Source) -> str | Path | None:
    """The file that an error names."""
    return None if isinstance(source, bytes) else source


def _orientation(image: Image.Image, source: Source) -> int:
    """EXIF orientation 1 to 8, without decoding pixels; 1 where it is missing or damaged: the pixels may be good."""
    if image_rules().exif == "ignore":
        return 1
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
    if isinstance(image, _Decoded):
        return _deep_to_rgb(image.pixels(), source)
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_rgb(np.asarray(image), source)
    if image.mode in ("RGB", "LA", "RGBA") and ";16" in str([tile[3] for tile in getattr(image, "tile", ())]):
        deep = _deep_colours(image, source)
        if deep is not None:
            return _deep_to_rgb(deep, source)
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        pixels = np.array(image)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    if image.has_transparency_data:
        return _over_white(np.array(image.convert("RGBA")), source)
    return np.array(image.convert("RGB"))


def _deep_colours(image: Image.Image, source: Source) -> Array | None:
    """All 16 bits of colours, of which Pillow keeps 8; None where OpenCV can't read them."""
    image.load()  # raises where the file is cut, which OpenCV doesn't
    if getattr(image, "is_animated", False):
        return None
    with suppress(ValueError):
        pixels = _decode(source)
        return pixels if pixels.dtype == np.uint16 and pixels.shape[:2] == image.size[::-1] else None
    return None


def _over_white(pixels: Array, source: Source) -> Array:
    """uint8 RGBA laid over white, unless its opacity is the same everywhere: then it marks nothing."""
    colours, alpha = pixels[..., :3], pixels[..., 3]
    if alpha.min() == alpha.max():
        if alpha.max() < 255:
            _warn(
                "the image is equally transparent everywhere: its colours are read, and its opacity is ignored", source
            )
        return np.ascontiguousarray(colours)
    hidden = colours[alpha == 0]
    if len(hidden) and (hidden != hidden[0]).any():
        _warn("colours under full transparency are not read: white is, in their place", source)
    white = Image.new("RGBA", pixels.shape[1::-1], "white")
    return np.array(Image.alpha_composite(white, Image.fromarray(pixels)))[..., :3]


def _deep_to_rgb(pixels: Array, source: Source) -> Array:
    """Pixels of more than 8 bits, (height, width) or with 1 to 4 channels, as uint8 RGB."""
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    if pixels.dtype == np.uint8:
        shares = pixels
    elif np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            hint = "divide by the largest possible value, or save it with 8 or 16 bits per channel"
            what = "the image holds floating-point pixels outside [0, 1], whose range is unknown"
            raise BrokenImageError(what, where=_where(source), hint=hint)
        shares = np.rint(255 * pixels).astype(np.uint8)
    else:
        white = 2 ** image_rules().bits - 1
        if pixels.min() < 0 or pixels.max() > white:
            hint, own = "save it with 8 or 16 bits per channel", image_rules().bits < 16
            what = f"the image holds pixels of more than {image_rules().bits} bits" + ("" if own else ": range unknown")
            hint = f"correct {VARIABLE}=bits=..., or take it away" if own else hint
            raise BrokenImageError(what, where=_where(source), hint=hint)
        shares = ((pixels.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    colours = shares[..., :3] if shares.shape[2] >= 3 else shares[..., :1]
    if pixels.dtype != np.uint8 and 0 < colours.max() <= NEARLY_BLACK:
        what = f"the image is nearly black: at most {NEARLY_BLACK} of 255"
        _warn(f"{what}; where its camera has 12 bits, set {VARIABLE}=bits=12", source)
    if shares.shape[2] in (2, 4):
        rgba = np.dstack([np.broadcast_to(colours, (*colours.shape[:2], 3)), shares[..., -1]])
        return _over_white(np.ascontiguousarray(rgba), source)
    return np.array(np.broadcast_to(colours, (*colours.shape[:2], 3)))


def _warn(what: str, source: Source) -> None:
    warnings.warn(FileWarning(what, _where(source)), stacklevel=4)
