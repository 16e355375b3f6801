"""The entries of a COCO json, in the types that exporters write: whatever has one meaning is read.

An entry of the format's own types is decoded at once. Any other is decoded loosely, and converted field by field:
whole floats and digits in quotes are numbers, a null flag is 0, nested keypoints are flattened, limbs that can't be
are left out (limbs only draw). What has no one meaning is refused with field, entry, value and what to write.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gensight.errors import DataError
from gensight.readers.coco.rle import read_parts
from gensight.samples import Size

NO_SIZE = 0  # of an image whose entry states no size: its file is measured
_LONGEST = 1 << 24  # pixels of an image's side
_DIGITS = re.compile(r"\s*([+-]?\d+)(?:\.0*)?\s*")


class ImageEntry(msgspec.Struct):
    """Sides are NO_SIZE where the file states none."""

    id: int
    file_name: str
    height: int = NO_SIZE
    width: int = NO_SIZE


class CategoryEntry(msgspec.Struct):
    """`skeleton` holds pairs of indices into `keypoints`, from 0."""

    id: int
    name: str
    keypoints: list[str] = []
    skeleton: list[tuple[int, int]] = []


class AnnotationEntry(msgspec.Struct):
    """One annotation; `id` is None where it has none."""

    image_id: int
    category_id: int
    id: int | None = None
    bbox: list[float] | None = None
    area: float | None = None
    iscrowd: int | bool = 0
    keypoints: list[float] | None = None
    segmentation: msgspec.Raw = msgspec.Raw()


class _LooseAnnotation(msgspec.Struct):
    image_id: Any = msgspec.UNSET
    category_id: Any = msgspec.UNSET
    id: Any = None
    bbox: Any = None
    area: Any = None
    iscrowd: Any = 0
    keypoints: Any = None
    segmentation: msgspec.Raw = msgspec.Raw()


class FileEntry(msgspec.Struct):
    """The whole file; entries are decoded one by one, so that only numbers stay in memory."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Any]


def read_images(entries: Iterable[msgspec.Raw], source: str) -> Iterator[ImageEntry]:
    """The images. Raises DataError for one whose fields can't be understood."""
    decoder = msgspec.json.Decoder(ImageEntry)
    for number, raw in enumerate(entries):
        try:
            entry = decoder.decode(raw)
        except msgspec.DecodeError:
            fields = msgspec.json.decode(raw)
            where = f"{source}, image {_shown(fields, number)}"
            name = fields.get("file_name") if isinstance(fields, dict) else None
            if not isinstance(name, str) or not name:
                hint = "every image has `id` and `file_name`, the path of its file"
                raise DataError(f"an image whose `file_name` is {_json(name)}", where=where, hint=hint) from None
            sides = [whole(fields.get(side) or NO_SIZE, side, where) for side in ("height", "width")]
            entry = ImageEntry(whole(fields.get("id"), "id", where), name, *sides)
        if max(entry.height, entry.width) > _LONGEST:
            what = f"an image of {entry.height} x {entry.width} px"
            raise DataError(what, where=f"{source}, image {entry.id}", hint="write its height and width in pixels")
        if entry.height < 1 or entry.width < 1:
            entry.height = entry.width = NO_SIZE
        yield entry


def read_categories(entries: Iterable[Any], source: str) -> Iterator[CategoryEntry]:
    """The categories. Raises DataError for one without an id or a name."""
    for number, fields in enumerate(entries):
        where = f"{source}, category {_shown(fields, number)}"
        if not isinstance(fields, dict) or not isinstance(fields.get("name"), str | int):
            raise DataError("a category without a name", where=where, hint="every category has `id` and `name`")
        names = fields.get("keypoints") or []
        if not isinstance(names, list):
            hint = "`keypoints` lists the names of the category's keypoints"
            raise DataError(f"`keypoints` is {_json(names)}", where=where, hint=hint)
        names = [str(name) for name in names]
        limbs = _limbs(fields.get("skeleton"), names)
        yield CategoryEntry(whole(fields.get("id"), "id", where), str(fields["name"]), names, limbs)


def _limbs(value: Any, names: list[str]) -> list[tuple[int, int]]:
    """The limbs that can be, as indices from 0. COCO counts from 1; some tools write 0, and some write names."""
    pairs = [limb for limb in value if isinstance(limb, list) and len(limb) == 2] if isinstance(value, list) else []
    ends = [[names.index(end) + 1 if end in names else _index(end) for end in limb] for limb in pairs]
    whole_ends = [[end for end in limb if end is not None] for limb in ends]
    base = 0 if any(0 in limb for limb in whole_ends) else 1
    found = [(limb[0] - base, limb[1] - base) for limb in whole_ends if len(limb) == 2]
    return [limb for limb in found if all(0 <= end < len(names) for end in limb) and limb[0] != limb[1]]


def _index(value: Any) -> int | None:
    try:
        return whole(value, "", "")
    except DataError:
        return None


def read_annotations(entries: Iterable[msgspec.Raw], source: str) -> Iterator[AnnotationEntry]:
    """The annotations, each with an id. Raises DataError for one whose fields can't be understood."""
    decoder, loose = msgspec.json.Decoder(AnnotationEntry), msgspec.json.Decoder(_LooseAnnotation)
    for number, raw in enumerate(entries):
        try:
            entry = decoder.decode(raw)
        except msgspec.DecodeError:
            try:
                entry = _annotation(loose.decode(raw), f"{source}, annotation number {number}", source)
            except msgspec.DecodeError as error:
                where = f"{source}, annotation number {number}, which begins {bytes(raw)[:80].decode(errors='replace')}"
                raise DataError(f"not a COCO annotation: {error}", where=where) from error
        yield entry


def _annotation(loose: _LooseAnnotation, where: str, source: str) -> AnnotationEntry:
    if loose.id is not None:
        where = f"{source}, annotation {loose.id}"
    for key in ("image_id", "category_id"):
        if getattr(loose, key) is msgspec.UNSET:
            hint = f"every annotation names its image and category: write `{key}`"
            raise DataError(f"not a COCO annotation: missing required field `{key}`", where=where, hint=hint)
    return AnnotationEntry(
        whole(loose.image_id, "image_id", where),
        whole(loose.category_id, "category_id", where),
        None if loose.id is None else whole(loose.id, "id", where),
        _numbers(loose.bbox, "bbox", where),
        None if loose.area is None else _numbers([loose.area], "area", where)[0],  # type: ignore[index]
        bool(whole(loose.iscrowd or 0, "iscrowd", where)),
        _keypoints(loose.keypoints, where),
        loose.segmentation,
    )


def _keypoints(value: Any, where: str) -> list[float] | None:
    """Flat triples, from those or from one list for each; coordinates of unlabelled keypoints may be null."""
    if isinstance(value, list) and value and all(isinstance(one, list) and len(one) == 3 for one in value):
        value = [number for one in value for number in one]
    if isinstance(value, list) and len(value) % 3 == 0:
        triples = (value[start : start + 3] for start in range(0, len(value), 3))
        value = [number for one in triples for number in ([0, 0, 0] if one[2] in (0, None) else one)]
    return _numbers(value, "keypoints", where)


def _numbers(value: Any, key: str, where: str) -> list[float] | None:
    if value is None or value == []:
        return None
    try:
        if isinstance(value, list):
            return [float(number) for number in value]  # also of digits in quotes
    except (TypeError, ValueError):
        pass
    raise DataError(f"`{key}` is {_json(value)}", where=where, hint="write a list of numbers, or leave it out")


def whole(value: Any, key: str, where: str) -> int:
    """A whole number, also where it stands as a float (3.0, 9.0e11) or in quotes.

    Raises:
        DataError: It is none; naming the field, its value and what to write.
    """
    if isinstance(value, str) and (digits := _DIGITS.fullmatch(value)):
        value = int(digits[1])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        if abs(value) < 1 << 63:
            return int(value)
        raise DataError(f"`{key}` is {value}, an id of more than 64 bits", where=where, hint="write a smaller one")
    raise DataError(f"`{key}` is {_json(value)}", where=where, hint="write a whole number, without a fraction")


def _shown(fields: Any, number: int) -> str:
    known = fields.get("id") if isinstance(fields, dict) else None
    return f"number {number}" if known is None else str(known)


def _json(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:76]} ..."


_POLYGONS = msgspec.json.Decoder(list[list[float]])


def segmentation_problem(text: bytes, size: Size | None) -> str | None:
    """Why a `segmentation` can't be read, from its text in the json file; None where it can.

    Args:
        text: Json.
        size: (height, width) of the image; None if unknown.
    """
    try:
        polygons = _POLYGONS.decode(text)  # nearly all are such
        if polygons and all(len(one) >= 6 and len(one) % 2 == 0 for one in polygons):
            return None
    except msgspec.DecodeError:
        pass
    try:
        read_parts(msgspec.json.decode(text), size)
    except (ValueError, RecursionError) as error:
        return str(error)
    return None
