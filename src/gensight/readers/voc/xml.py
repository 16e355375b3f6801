"""PASCAL VOC's annotation files: one xml per image, read without entities and checked."""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from gensight.errors import DataError
from gensight.readers.shared.listings import read_text
from gensight.samples import Array, Size

_SHAPE = "an annotation holds <size> and, for each <object>, a <name> and a <bndbox>"


@dataclass(frozen=True)
class VocFlags:
    """VOC's attributes of an object besides its class and box.

    Attributes:
        difficult: Hard to recognise; VOC's evaluation ignores it.
        truncated: The box is less than the whole object.
        occluded: Something hides part of it.
        pose: `Frontal`, `Left` ...; empty where unspecified.
    """

    difficult: bool = False
    truncated: bool = False
    occluded: bool = False
    pose: str = ""


@dataclass(frozen=True, eq=False)
class VocObject:
    """An object of an annotation file: `box` and `head_box` are float64 (4,) in continuous pixels."""

    name: str
    box: Array
    head_box: Array | None
    flags: VocFlags


@dataclass(frozen=True, eq=False)
class VocAnnotation:
    """The content of an annotation file; `size` is None where it gives none (some tools write 0)."""

    size: Size | None
    objects: tuple[VocObject, ...]


def read_annotation(path: Path) -> VocAnnotation:
    """Reads an annotation file; 1-based inclusive boxes become continuous ones.

    Raises:
        DataError: The file is missing, no xml, declares a document type (whose entities could expand to anything),
            or lacks what an annotation has; naming the object.
    """
    text = read_text(path)
    if "<!DOCTYPE" in text:
        hint = "remove the <!DOCTYPE ...> declaration, which VOC's files don't have"
        raise DataError("an annotation that declares a document type is not read", where=path, hint=hint)
    try:
        root = ElementTree.fromstring(text)  # entities need a DOCTYPE, which is refused above
    except ElementTree.ParseError as error:
        hint = "was the file cut short? Write or download it again"
        raise DataError(f"not valid xml: {error}", where=path, hint=hint) from error
    objects = [_object(entry, f"{path}, object {n}") for n, entry in enumerate(root.iterfind("object"), start=1)]
    return VocAnnotation(_size(root, path), tuple(objects))


def _size(root: ElementTree.Element, path: Path) -> Size | None:
    texts = [(root.findtext(f"size/{side}") or "0").strip() for side in ("height", "width")]
    if not all(text.isdecimal() for text in texts):
        raise DataError(f"no image size: {' x '.join(texts)}", where=path, hint=_SHAPE)
    height, width = (int(text) for text in texts)
    return (height, width) if height and width else None


def _object(entry: ElementTree.Element, where: str) -> VocObject:
    name = (entry.findtext("name") or "").strip()
    if not name:
        raise DataError("an object without a name", where=where, hint=_SHAPE)
    heads = [part for part in entry.iterfind("part") if (part.findtext("name") or "").strip() == "head"]
    pose = (entry.findtext("pose") or "").strip()
    flags = VocFlags(
        _flag(entry, "difficult"), _flag(entry, "truncated"), _flag(entry, "occluded"),
        "" if pose == "Unspecified" else pose,
    )  # fmt: skip
    return VocObject(name, _box(entry, where), _box(heads[0], where) if heads else None, flags)


def _flag(entry: ElementTree.Element, name: str) -> bool:
    return (entry.findtext(name) or "0").strip() == "1"


def _box(entry: ElementTree.Element, where: str) -> Array:
    texts = [entry.findtext(f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x_min, y_min, x_max, y_max = (float(text or "missing") for text in texts)
    except ValueError as error:
        raise DataError(f"no bndbox of four numbers: {texts}", where=where, hint=_SHAPE) from error
    if not all(map(math.isfinite, (x_min, y_min, x_max, y_max))) or x_max < x_min or y_max < y_min:
        raise DataError(f"a bndbox that is none: {texts}", where=where, hint="xmax and ymax are the larger ones")
    return np.array([x_min - 1, y_min - 1, x_max, y_max])
