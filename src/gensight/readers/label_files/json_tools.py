"""labelme, VGG Image Annotator and Label Studio: their json files (and VIA's csv).

labelme and VIA count from the image's corner, with 0 at its edge; Label Studio has percent of the image's sides.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.label_files.records import LabelledImage, LabelSet, Point, entry, number, read_json_file
from gensight.readers.label_files.subjects import Shape, subjects_of
from gensight.readers.shared.listings import read_text

_LABEL_KEYS = ("keypoint", "bodypart", "label", "name", "part", "landmark", "class", "category", "type")
_GROUP_KEYS = ("individual", "animal", "subject", "instance", "identity", "track", "group", "group_id", "id")
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the names of uploaded files


def is_labelme(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("shapes"), list) and "imagePath" in value


def is_via(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(entries := _via_entries(value)) and all(
        isinstance(one, Mapping) and "filename" in one and "regions" in one for one in entries[:5]
    )  # fmt: skip


def is_label_studio(value: Any) -> bool:
    """Exports of whole tasks (`JSON`), and of labels alone (`JSON-MIN`)."""
    if not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
        return False
    if isinstance(value[0].get("data"), Mapping) and ("annotations" in value[0] or "completions" in value[0]):
        return True
    return "annotator" in value[0] and _picture(value[0]) is not None


def read_labelme(root: Path, files: Sequence[Path]) -> LabelSet:
    """One file per image. A subject's shapes share a `group_id`; keypoints are points."""
    images, unread = [], Counter[str]()
    for path in files:
        value = read_json_file(path)
        shapes = []
        for index, shape in enumerate(value["shapes"]):
            where = f"{path}, shape {index}"
            corners = entry(shape, "points", where)
            kind = str(shape.get("shape_type") or ("polygon" if len(corners) > 1 else "point"))
            kind = {"point": "point", "rectangle": "box", "polygon": "polygon"}.get(kind, kind)
            if kind not in ("point", "box", "polygon"):
                unread[f"labelme shapes of type {kind}"] += 1
                continue
            group = shape.get("group_id")
            label = str(entry(shape, "label", where))
            shapes.append(_shape(kind, label, corners, where, None if group is None else str(group)))
        sides = value.get("imageHeight"), value.get("imageWidth")
        size = (int(sides[0]), int(sides[1])) if all(isinstance(side, int) and side > 0 for side in sides) else None
        name = _beside(str(value["imagePath"]), path, root)
        images.append(LabelledImage(name, path, subjects_of(shapes, str(path)), size=size))
    return LabelSet(images, unread=unread)


def _beside(name: str, label_file: Path, root: Path) -> str:
    """A file that a label file names relative to itself, from the root."""
    folder = label_file.parent.relative_to(root).as_posix()
    parts = [] if folder == "." else folder.split("/")
    for part in name.replace("\\", "/").split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return name if name.startswith("/") or ":" in name[:3] else "/".join(parts)


def _shape(kind: Any, label: str, corners: Any, where: str, group: str | None, **more: Any) -> Shape:
    if not isinstance(corners, list | tuple) or not corners:
        raise DataError("a shape without points", where=where, hint="remove it, or draw it again")
    pairs = []
    for corner in corners:
        if not isinstance(corner, list | tuple) or len(corner) < 2:
            raise DataError(f"a corner is {corner!r}", where=where, hint="a corner is x, y")
        pairs.append((number(corner[0], where, "x"), number(corner[1], where, "y")))
    if (kind == "box" and len(pairs) < 2) or (kind == "polygon" and len(pairs) < 3):
        raise DataError(f"a {kind} of {len(pairs)} corners", where=where, hint="remove it, or draw it again")
    return Shape(kind, label, tuple(pairs[:1] if kind == "point" else pairs), group, where=where, **more)


# --- VIA ---


def _via_entries(value: Mapping[str, Any]) -> list[Any]:
    content = value.get("_via_img_metadata", value)
    return list(content.values()) if isinstance(content, Mapping) else []


def read_via(root: Path, files: Sequence[Path]) -> LabelSet:
    """Projects, and annotations exported as json or csv. A region's attribute names the keypoint or the category."""
    images, unread = [], Counter[str]()
    for path in files:
        rows = list(_via_rows(path))
        keys = Counter(key for _, regions in rows for region in regions for key, value in region[1].items() if value)
        label_key = next((key for key in keys if key.lower() in _LABEL_KEYS), None) or (
            next(iter(keys)) if len(keys) == 1 else None
        )
        group_key = next((key for key in keys if key.lower() in _GROUP_KEYS and key != label_key), None)
        if keys and label_key is None:
            hint = "call the attribute that names keypoints or categories `name`"
            raise DataError("several attributes, and none is the name", where=path, choices=keys, hint=hint)
        for name, regions in rows:
            shapes = []
            for index, (shape, attributes) in enumerate(regions):
                where = f"{path}, {name}, region {index}"
                kind, corners = _via_shape(shape, where)
                if kind is None:
                    unread[f"VIA regions of shape {shape.get('name')}"] += 1
                    continue
                label, group = attributes.get(label_key or "", "object"), attributes.get(group_key or "")
                shapes.append(_shape(kind, _only(label), corners, where, None if not group else _only(group)))
            images.append(LabelledImage(name, path, subjects_of(shapes, f"{path}, {name}")))
    return LabelSet(images, unread=unread)


def _only(value: Any) -> str:
    """An attribute's value; of checkboxes, those that are ticked."""
    return ", ".join(key for key, on in value.items() if on) if isinstance(value, Mapping) else str(value)


def _via_rows(path: Path) -> Iterator[tuple[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]]]:
    """(file name, its regions as (shape, attributes))."""
    if path.suffix.lower() == ".csv":
        found: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
        for line, row in enumerate(csv.DictReader(io.StringIO(read_text(path))), start=2):
            try:
                shape, attributes = (msgspec.json.decode(row[f"region_{key}attributes"]) for key in ("shape_", ""))
            except (msgspec.DecodeError, TypeError, KeyError) as error:
                raise DataError(f"not a region: {error}", where=f"{path}, row {line}") from error
            regions = found.setdefault(str(row.get("filename") or row.get("#filename")), [])
            if shape:
                regions.append((shape, attributes))
        yield from found.items()
        return
    for one in _via_entries(read_json_file(path)):
        entries: Any = one["regions"].values() if isinstance(one["regions"], Mapping) else one["regions"]
        where = f"{path}, {one['filename']}"
        yield (
            str(one["filename"]),
            [(entry(region, "shape_attributes", where), region.get("region_attributes") or {}) for region in entries],
        )


def _via_shape(shape: Mapping[str, Any], where: str) -> tuple[str | None, list[Point]]:
    match shape.get("name"):
        case "point":
            return "point", [(entry(shape, "cx", where), entry(shape, "cy", where))]
        case "rect":
            x, y, width, height = (
                number(entry(shape, key, where), where, key) for key in ("x", "y", "width", "height")
            )
            return "box", [(x, y), (x + width, y + height)]
        case "polygon" | "polyline":
            xs, ys = (entry(shape, key, where) for key in ("all_points_x", "all_points_y"))
            return "polygon", list(zip(xs, ys, strict=False))
    return None, []


# --- Label Studio ---


def read_label_studio(root: Path, files: Sequence[Path]) -> LabelSet:
    """Exports `JSON` and `JSON-MIN`. Of several annotations of a task the first that nobody cancelled is read.

    Regions are one subject where one is the other's parent, or a relation joins them.
    """
    images, unread = [], Counter[str]()
    for path in files:
        for number_, task in enumerate(read_json_file(path)):
            where = f"{path}, task {task.get('id', number_)}"
            data = task.get("data", task)
            picture = _picture(data)
            if picture is None:
                raise DataError("a task without an image", where=where, hint="its `data` names an image file")
            results = _results(task, unread)
            groups = _groups(results)
            shapes = []
            for index, one in enumerate(results):
                shape = _region(
                    one, f"{where}, region {one.get('id', index)}", groups.get(one.get("id", index)), unread
                )
                if shape is not None:
                    shapes.append(shape)
            images.append(LabelledImage(picture, path, subjects_of(shapes, where), fractions=True))
    return LabelSet(images, unread=unread)


def _picture(data: Any) -> str | None:
    """The image that a task is about: the first text that ends as images do."""
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, Mapping) else []
    for text in texts:
        parts = urlsplit(text)
        path = unquote(parse_qs(parts.query).get("d", [parts.path])[0])
        if Path(path).suffix.lower() in IMAGE_SUFFIXES:
            folder, slash, name = path.rpartition("/")
            return f"{folder}{slash}{_UPLOAD.sub('', name) if '/upload' in folder else name}"
    return None


def _results(task: Mapping[str, Any], unread: Counter[str]) -> list[dict[str, Any]]:
    """A task's regions, each with its value's fields beside its own."""
    if "data" in task:
        everyone = task.get("annotations") or task.get("completions") or []
        kept = [one for one in everyone if isinstance(one, Mapping) and not one.get("was_cancelled")]
        if len(kept) > 1:
            unread["Label Studio annotations by further annotators"] += len(kept) - 1
        found = kept[0].get("result") or [] if kept else []
        return [{**one, **(one.get("value") or {})} for one in found if isinstance(one, Mapping)]
    lists = [value for value in task.values() if isinstance(value, list)]
    return [dict(one) for value in lists for one in value if isinstance(one, Mapping)]


def _groups(results: Sequence[Mapping[str, Any]]) -> dict[Any, str]:
    """Region -> its subject, of those that a parent or a relation joins to others."""
    pairs = [(one["id"], one["parentID"]) for one in results if one.get("parentID") and "id" in one]
    pairs += [(one.get("from_id"), one.get("to_id")) for one in results if one.get("type") == "relation"]
    owner: dict[Any, Any] = {}

    def root(one: Any) -> Any:
        while owner.get(one, one) != one:
            one = owner[one]
        return one

    for first, second in pairs:
        owner[root(first)] = root(second)
    return {one: str(root(one)) for pair in pairs for one in pair}


def _region(one: Mapping[str, Any], where: str, group: str | None, unread: Counter[str]) -> Shape | None:
    labels = {key: value for key, value in one.items() if key.endswith("labels") and isinstance(value, list) and value}
    kind = next(iter(labels), "")
    if kind in ("keypointlabels", "rectanglelabels") or (kind == "polygonlabels"):
        label = str(labels[kind][0])
        if kind == "polygonlabels":
            corners = entry(one, "points", where)
        else:
            x, y = (number(entry(one, key, where), where, key) for key in "xy")
            corners = [(x, y)]
            if kind == "rectanglelabels":
                corners.append(
                    (x + number(one.get("width"), where, "width"), y + number(one.get("height"), where, "height"))
                )
        shares = [(number(x, where, "x") / 100, number(y, where, "y") / 100) for x, y, *_ in corners]
        return _shape({"k": "point", "r": "box", "p": "polygon"}[kind[0]], label, shares, where, group)
    if one.get("type") not in ("relation", "choices", None):
        unread[f"Label Studio regions of type {one.get('type')}"] += 1
    return None
