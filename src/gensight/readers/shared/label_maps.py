"""Label maps: PNG files whose pixels are numbers of objects or classes; masks are read from them when needed."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.samples import Array, Size


def read_label_map(path: Path, size: Size | None = None) -> Array:
    """The numbers in a label map: palette indices, or grey values.

    Args:
        path: The file.
        size: (height, width) that it must have, that of its image; None for any.

    Returns:
        uint8 or uint16 (height, width).

    Raises:
        DataError: The file is missing or broken, has colours instead of numbers, or another size.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except FileNotFoundError as error:
        raise DataError("label map not found", where=path) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        hint = "is the file truncated? Replace it"
        raise DataError(f"cannot be read as a label map: {str(error).rstrip('.')}", where=path, hint=hint) from error
    if pixels.ndim == 3 and (pixels[..., :3] == pixels[..., :1]).all():  # some tools save grey as RGB
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        hint = "save the palette's indices or grey values"
        raise DataError("a label map with colours instead of numbers", where=path, hint=hint)
    if size is not None and pixels.shape != size:
        what = f"the label map is {pixels.shape[0]} x {pixels.shape[1]} (height x width)"
        raise DataError(f"{what}, but its image is {size[0]} x {size[1]}", where=path, hint="was one of them resized?")
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def has_palette(path: Path) -> bool:
    """Whether a label map's pixels are indices of a palette, from the file's header alone."""
    try:
        with Image.open(path) as image:
            return image.mode == "P"
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError("cannot be read as a label map", where=path) from error


def write_label_map(path: Path, labels: Array) -> None:
    """Writes numbers below 256 as a palette PNG, atomically; the palette is the one that VOC and DAVIS use."""
    image = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
    image.putpalette(_palette().tobytes())
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _palette() -> Array:
    """uint8 (256, 3): the index's bits, dealt to red, green and blue in turn, become their bits from the highest."""
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> channel) & 1) << (7 - bit)).astype(np.uint8)
        index = index >> 3
    return colours


@dataclass(frozen=True)
class LabelMask:
    """An object's mask, read from a label map when called; its call is `Instance.mask`.

    Attributes:
        path: The label map.
        size: (height, width) of the image.
        label: The object's number; None: whatever isn't 0.
    """

    path: Path
    size: Size
    label: int | None = None

    def __call__(self) -> Array:
        """bool (height, width). Raises DataError as `read_label_map`."""
        labels = read_label_map(self.path, self.size)
        return labels != 0 if self.label is None else labels == self.label


def mask_box(mask: Array) -> Array | None:
    """float64 (4,): the box around a mask's pixels, or None if it has none."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return np.array([x, y, x + width, y + height], dtype=np.float64) if width else None


def box_overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / both if both > 0 else 0.0


@dataclass(frozen=True)
class PackedMask:
    """A mask kept as bits; its call is `Instance.mask`.

    Attributes:
        bits: The rows, eight pixels per byte.
        size: (height, width).
    """

    bits: bytes
    size: Size

    @classmethod
    def of(cls, mask: Array) -> "PackedMask":
        """Of a bool (height, width)."""
        return cls(np.packbits(mask).tobytes(), (mask.shape[0], mask.shape[1]))

    def __call__(self) -> Array:
        """bool (height, width)."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.size[0] * self.size[1])
        return bits.reshape(self.size).astype(bool)
