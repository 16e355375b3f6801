"""A COCO json file as columns of numbers: parsed once in little memory, then memory-mapped from the cache folder.

The images and, sorted by image, the annotations lie in flat arrays; a segmentation is kept as the place of its text
in the json file. So a Sample is built from slices, and a file with a hundred thousand images opens at once.
"""

import json
import mmap
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gensight.errors import DataError, ResourceError
from gensight.files.columns import cache_folder, read_columns, write_columns
from gensight.files.hashing import value_hash
from gensight.readers.coco.entries import (
    CategoryEntry,
    FileEntry,
    ImageEntry,
    read_annotations,
    read_categories,
    read_images,
    segmentation_problem,
)
from gensight.samples import Array
from gensight.skeletons import numbered_names

VERSION = 2  # of the columns; a cached index of another version is not found
_SAMPLED = 1 << 16  # bytes of the head and the tail that the cache's key depends on
_NAN = float("nan")


@dataclass(frozen=True)
class Category:
    """A row of the file's `categories`. `limbs` are pairs of indices into `keypoints`, from 0."""

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class CocoIndex:
    """The content of a COCO file.

    Attributes:
        source: The json file.
        cached: The file that the columns are mapped from, or None where they lie in memory.
        categories: In the file's order.
        columns: For each of N images `image_id`, `image_size` (N, 2) as (height, width), 0 where the file states none,
            `name_stop` (end of its name in `names`, UTF-8 bytes), `first` (N + 1, its first annotation). For each of M
            annotations, sorted by image: `id`, `image` (index), `category` (index), `box` (M, 4) corners or NaN, `area`
            or NaN, `crowd`, `point_start` (M + 1) into `points` (P, 2; NaN where not labelled; the file's convention)
            and `flags` (P, 0 to 2), `text_start` and `text_stop` (its segmentation's bytes in the json file, empty if
            none).
    """

    source: Path
    cached: Path | None
    categories: tuple[Category, ...]
    columns: dict[str, Array]

    def __reduce__(self) -> tuple[Any, ...]:
        if self.cached is not None:  # a worker maps the file again instead of getting a copy
            return (open_index, (self.source,))
        return (CocoIndex, (self.source, None, self.categories, self.columns))

    @property
    def num_images(self) -> int:
        return len(self.columns["image_id"])

    def file_names(self) -> list[str]:
        """Of all images."""
        return [self.file_name(image) for image in range(self.num_images)]

    def file_name(self, image: int) -> str:
        """Of an image, by its index."""
        stops = self.columns["name_stop"]
        return self.columns["names"][stops[image - 1] if image else 0 : stops[image]].tobytes().decode()


def open_index(source: Path) -> CocoIndex:
    """The index of a COCO file: from the cache folder if it was opened before and has not changed, parsed otherwise.

    Where the cache folder can't be written to, the index lies in memory.

    Raises:
        DataError: The file is missing or not COCO json; naming the annotation or image that is wrong.
    """
    cached = cache_folder() / "coco" / f"{_key(source)}.columns"
    if cached.is_file():
        try:
            columns, meta = read_columns(cached)
            return CocoIndex(source, cached, _categories_of(meta), columns)
        except DataError:
            pass  # damaged: made again below
    categories, columns = _parse(source)
    meta = [[category.id, category.name, category.keypoints, category.limbs] for category in categories]
    try:
        write_columns(cached, columns, meta)
    except (ResourceError, OSError):
        return CocoIndex(source, None, categories, columns)
    return CocoIndex(source, cached, categories, read_columns(cached)[0])


def _categories_of(meta: Any) -> tuple[Category, ...]:
    return tuple(
        Category(id, name, tuple(keypoints), tuple((a, b) for a, b in limbs)) for id, name, keypoints, limbs in meta
    )


def _key(source: Path) -> str:
    """Depends on where the file is, its size and time, and its first and last bytes."""
    try:
        with source.open("rb") as file:
            head = file.read(_SAMPLED)
            size = file.seek(0, 2)
            file.seek(max(0, size - _SAMPLED))
            tail = file.read()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=source, hint="check the path") from error
    changed = source.stat().st_mtime_ns
    return value_hash([VERSION, str(source.resolve()), size, changed, head.hex(), tail.hex()])[:32]


# --- Parsing ---


def _parse(source: Path) -> tuple[tuple[Category, ...], dict[str, Array]]:
    if source.stat().st_size == 0:
        raise DataError("the label file is empty", where=source)
    with source.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last entry that looks into it
    try:
        content = msgspec.json.decode(data, type=FileEntry)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_coco(error, data, source) from error
    categories = tuple(_category(category, source) for category in read_categories(content.categories, str(source)))
    _require_distinct([category.id for category in categories], "category", source)
    images = _image_columns(list(read_images(content.images, str(source))), source)
    annotations = _annotation_columns(content.annotations, np.frombuffer(data, np.uint8), source)
    categories = _numbered(categories, annotations, source)
    sorted_ones = _sorted_by_image(annotations, images["image_id"], categories, source)
    _check_segmentations(sorted_ones, images["image_size"], data, source)
    del content, data
    return categories, images | sorted_ones


def _not_coco(error: Exception, data: mmap.mmap, source: Path) -> DataError:
    if isinstance(error, msgspec.ValidationError):
        hint = "a COCO file has `images`, `annotations` and `categories`"
        return DataError(f"not COCO labels: {error}", where=source, hint=hint)
    what = f"not valid JSON: {error}"
    place = "".join(character for character in str(error).rpartition("byte ")[2] if character.isdigit())
    if place and data[int(place) : int(place) + 3] in (b"NaN", b"Inf", b"-In"):
        hint = "JSON has no NaN or infinity: an unlabelled keypoint is `0, 0, 0`"
    else:
        hint = "was the file cut short? Write or download it again"
    return DataError(what, where=source, hint=hint)


def _category(category: CategoryEntry, source: Path) -> Category:
    names = tuple(category.keypoints)
    if len(set(names)) < len(names):
        what = f"a keypoint is named twice: {', '.join(names)}"
        raise DataError(what, where=f"{source}, category {category.name}", hint="each keypoint has a name of its own")
    return Category(category.id, category.name, names, tuple(category.skeleton))


def _numbered(categories: tuple[Category, ...], raw: dict[str, Array], source: Path) -> tuple[Category, ...]:
    """The categories; those that name no keypoints, though their annotations have some, get numbered names."""
    found = []
    named = any(category.keypoints for category in categories)
    for category in categories:
        mine = (raw["ids"][:, 2] == category.id) & (raw["num_points"] > 0)
        counts = np.unique(raw["num_points"][mine])
        if not named and len(counts) == 1 and counts[0] % 3 == 0:
            names = numbered_names(int(counts[0]) // 3)
            category = Category(category.id, category.name, names)
        found.append(category)
    return tuple(found)


def _check_segmentations(sorted_ones: dict[str, Array], sizes: Array, data: mmap.mmap, source: Path) -> None:
    """Raises DataError, naming the annotations, if a segmentation is none or of another size than its image."""
    found: dict[int, str] = {}
    rows = np.flatnonzero(sorted_ones["text_stop"])
    for row in rows.tolist():
        height, width = sizes[sorted_ones["image"][row]].tolist()
        text = data[sorted_ones["text_start"][row] : sorted_ones["text_stop"][row]]
        what = segmentation_problem(text, (height, width) if height else None)
        if what is not None:
            found[int(sorted_ones["id"][row])] = what
    if found:
        first, what = next(iter(found.items()))
        many = "" if len(found) == 1 else f" (and {len(found) - 1} more: {', '.join(map(str, list(found)[1:6]))})"
        raise DataError(
            f"not a segmentation: {what}", where=f"{source}, annotation {first}{many}",
            hint="write polygons [[x, y, x, y, x, y, ...]] of three corners or more, or runs of the image's size, or "
            "remove the annotation",
        )  # fmt: skip


def _require_distinct(ids: Any, what: str, source: Path) -> None:
    values, counts = np.unique(np.asarray(ids), return_counts=True)
    if (counts > 1).any():
        raise DataError(f"two {what} entries have the id {values[counts > 1][0]}", where=source, hint="ids are unique")


def _image_columns(images: list[ImageEntry], source: Path) -> dict[str, Array]:
    if not images:
        raise DataError("the label file lists no images", where=source)
    _require_distinct([image.id for image in images], "image", source)
    names: dict[str, int] = {}
    for image in images:
        if image.file_name in names:
            what = f"images {names[image.file_name]} and {image.id} have the same file name {image.file_name}"
            raise DataError(what, where=source, hint="list every image once")
        names[image.file_name] = image.id
    encoded = [name.encode() for name in names]
    return {
        "image_id": np.array([image.id for image in images], dtype=np.int64),
        "image_size": np.array([(image.height, image.width) for image in images], dtype=np.int32),
        "names": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "name_stop": np.cumsum([len(name) for name in encoded], dtype=np.int64),
    }


def _annotation_columns(entries: list[msgspec.Raw], data: Array, source: Path) -> dict[str, Array]:
    """Columns in the file's order, with ids instead of indices. `data` are the file's bytes."""
    ids, boxes, areas, crowds = array("q"), array("d"), array("d"), array("b")
    points, num_points, starts, stops = array("d"), array("q"), array("q"), array("q")
    base = data.__array_interface__["data"][0]
    lacking = []
    for number, entry in enumerate(read_annotations(entries, str(source))):
        if entry.id is None:
            lacking.append(number)
        try:
            ids.extend((entry.id or 0, entry.image_id, entry.category_id))
        except OverflowError as error:
            raise DataError("an id of more than 64 bits", where=f"{source}, annotation {entry.id}") from error
        box = entry.bbox or (_NAN, _NAN, _NAN, _NAN)
        if len(box) != 4:
            what = f"a bbox of {len(box)} numbers instead of x, y, width, height"
            raise DataError(what, where=f"{source}, annotation {entry.id}")
        boxes.extend(box)
        areas.append(_NAN if entry.area is None else entry.area)
        crowds.append(bool(entry.iscrowd))
        points.extend(entry.keypoints or ())
        num_points.append(len(entry.keypoints or ()))
        text = memoryview(entry.segmentation)
        if len(text) > 4 or bytes(text) not in (b"", b"null", b"[]"):
            start = np.frombuffer(text, np.uint8).__array_interface__["data"][0] - base
            starts.append(start)
            stops.append(start + len(text))
        else:
            starts.append(0)
            stops.append(0)
    table = np.array(ids, dtype=np.int64).reshape(-1, 3)
    table[lacking, 0] = table[:, 0].max(initial=0) + 1 + np.arange(len(lacking))  # ids only need to differ
    return {
        "ids": table,
        "box": np.array(boxes).reshape(-1, 4),
        "area": np.array(areas),
        "crowd": np.array(crowds, dtype=bool),
        "points": np.array(points),
        "num_points": np.array(num_points, dtype=np.int64),
        "text_start": np.array(starts, dtype=np.int64),
        "text_stop": np.array(stops, dtype=np.int64),
    }


def _sorted_by_image(
    raw: dict[str, Array], image_ids: Array, categories: tuple[Category, ...], source: Path
) -> dict[str, Array]:
    """Checks the annotations against images and categories, and sorts them by image, in the file's order within."""
    ids = raw["ids"]
    _require_distinct(ids[:, 0], "annotation", source)
    image = _look_up(ids[:, 1], image_ids, ids[:, 0], "image", source)
    category_ids = np.array([category.id for category in categories], dtype=np.int64)
    category = _look_up(ids[:, 2], category_ids, ids[:, 0], "category", source)
    _check_keypoints(raw, category, categories, source)
    order = np.argsort(image, kind="stable")
    corners = raw["box"].copy()
    corners[:, 2:] += corners[:, :2]
    triples, starts = _reordered(raw["points"].reshape(-1, 3), raw["num_points"] // 3, order)
    flags = triples[:, 2].astype(np.int8)
    return {
        "first": np.searchsorted(image[order], np.arange(len(image_ids) + 1)),
        "id": ids[order, 0],
        "image": image[order],
        "category": category[order],
        "box": corners[order],
        "area": raw["area"][order],
        "crowd": raw["crowd"][order],
        "text_start": raw["text_start"][order],
        "text_stop": raw["text_stop"][order],
        "point_start": starts,
        "points": np.where(flags[:, None] > 0, triples[:, :2], np.nan),
        "flags": flags,
    }


def _look_up(ids: Array, known: Array, annotation: Array, what: str, source: Path) -> Array:
    """int32 index of each id among the known ones."""
    places = {id: index for index, id in enumerate(known.tolist())}
    index = np.array([places.get(id, -1) for id in ids.tolist()], dtype=np.int32)
    strange = index < 0
    if strange.any():
        first = int(strange.argmax())
        article = "an" if what == "image" else "a"
        raise DataError(
            f"{int(strange.sum())} annotations name {article} {what} that the file does not list, the first {what} "
            f"{ids[first]}",
            where=f"{source}, annotation {annotation[first]}", hint=f"list the {what}, or remove the annotations",
        )  # fmt: skip
    return index


def _check_keypoints(raw: dict[str, Array], category: Array, categories: tuple[Category, ...], source: Path) -> None:
    """Counts agree with the category's names, flags are 0, 1 or 2, numbers are finite."""
    expected = np.array([3 * len(entry.keypoints) for entry in categories], dtype=np.int64)[category]
    wrong = (raw["num_points"] != expected) & (raw["num_points"] > 0)
    if wrong.any():
        first = int(wrong.argmax())
        name, count = categories[category[first]].name, expected[first] // 3
        raise DataError(
            f"wrong keypoint count: {raw['num_points'][first]} numbers, but category `{name}` names {count} keypoints, "
            f"which makes {expected[first]}",
            where=f"{source}, annotation {raw['ids'][first, 0]}",
            hint="keypoints are x, y, v for each name in the category's `keypoints`",
        )
    triples = raw["points"].reshape(-1, 3)
    owner = np.repeat(np.arange(len(category)), raw["num_points"] // 3)
    for bad, what in (
        (~np.isfinite(triples).all(1), "a keypoint that is not finite"),
        (~np.isin(triples[:, 2], (0, 1, 2)), "a keypoint flag v other than 0, 1 or 2"),
    ):
        if bad.any():
            row = int(bad.argmax())
            where = f"{source}, annotation {raw['ids'][owner[row], 0]}"
            raise DataError(f"{what}: {json.dumps(triples[row].tolist())}", where=where)


def _reordered(rows: Array, lengths: Array, order: Array) -> tuple[Array, Array]:
    """Groups of consecutive rows in another order, and where each starts (with the end)."""
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    new_lengths = lengths[order]
    new_starts = np.concatenate([[0], np.cumsum(new_lengths)])
    take = np.repeat(starts[order] - new_starts[:-1], new_lengths) + np.arange(new_starts[-1])
    return rows[take], new_starts
