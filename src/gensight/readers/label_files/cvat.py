"""CVAT's xml, `CVAT for images 1.1` and `CVAT for video 1.1`. Coordinates have 0 at the image's edge."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from gensight.errors import DataError
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet, Point, number
from gensight.readers.label_files.subjects import Shape, subjects_of
from gensight.readers.shared.listings import read_text
from gensight.samples import Size, Visibility
from gensight.skeletons import numbered_names


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an xml file without a document type, whose entities could expand to anything."""
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        hint = "remove the <!DOCTYPE ...> declaration"
        raise DataError("labels that declare a document type are not read", where=path, hint=hint)
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"not valid xml: {error}", where=path, hint="was the file cut short? Export it again"
        ) from error


def is_cvat(path: Path) -> bool:
    """Whether an xml file holds CVAT's annotations."""
    with path.open("rb") as file:
        return b"<annotations>" in file.read(400)


def read_cvat(root: Path, files: Sequence[Path]) -> LabelSet:
    """Images with shapes and skeletons, and tracks of videos."""
    images: list[LabelledImage] = []
    names: dict[str, None] = {}
    unread = Counter[str]()
    for path in files:
        tree = read_xml(path)
        for label in tree.iterfind("meta//label"):
            if label.findtext("type") == "points" and label.findtext("parent"):
                names[label.findtext("name") or ""] = None
        for skeleton in tree.iter("skeleton"):
            names |= dict.fromkeys(point.get("label") or "" for point in skeleton.iterfind("points"))
        for image in tree.iterfind("image"):
            where = f"{path}, image {image.get('id', image.get('name', ''))}"
            subjects = _subjects(list(image), where, unread)
            images.append(LabelledImage(image.get("name") or "", path, subjects, size=_size(image, where)))
        images += _frames(tree, path, unread)
    return LabelSet(images, tuple(names), unread=unread)


def _size(image: ElementTree.Element, where: str) -> Size | None:
    height, width = image.get("height"), image.get("width")
    return (int(number(height, where, "height")), int(number(width, where, "width"))) if height and width else None


def _frames(tree: ElementTree.Element, path: Path, unread: Counter[str]) -> Iterator[LabelledImage]:
    """The frames of a video's tracks in which something is."""
    frames: dict[int, list[LabelledSubject]] = {}
    video = tree.findtext("meta/task/source") or tree.findtext("meta/source") or tree.findtext("meta/job/source") or ""
    for track in tree.iterfind("track"):
        for shape in track:
            where = f"{path}, track {track.get('id')}, frame {shape.get('frame')}"
            if shape.get("outside") == "1":
                continue
            shape.set("label", track.get("label") or "")
            index = int(number(shape.get("frame"), where, "frame"))
            for one in _subjects([shape], where, unread):
                frames.setdefault(index, []).append(
                    LabelledSubject(one.category, one.keypoints, one.box, one.polygons, track.get("id"), where)
                )
    for index in sorted(frames):
        yield LabelledImage(video, path, tuple(frames[index]), frame=index)


def _subjects(shapes: Sequence[ElementTree.Element], where: str, unread: Counter[str]) -> tuple[LabelledSubject, ...]:
    loose, whole = list[Shape](), list[LabelledSubject]()
    for index, shape in enumerate(shapes):
        here, label = f"{where}, shape {index}", shape.get("label") or ""
        group = shape.get("group_id") if shape.get("group_id") not in (None, "0") else None
        match shape.tag:
            case "skeleton":
                whole.append(_skeleton(shape, label, here))
            case "box":
                ends = [number(shape.get(key), here, key) for key in ("xtl", "ytl", "xbr", "ybr")]
                loose.append(Shape("box", label, ((ends[0], ends[1]), (ends[2], ends[3])), group, where=here))
            case "polygon":
                loose.append(Shape("polygon", label, _corners(shape, here), group, where=here))
            case "points":
                corners = _corners(shape, here)
                names = [label] if len(corners) == 1 else numbered_names(len(corners))
                if len(corners) > 1 and group is None:  # one label with several points is a subject of its own
                    points = {name: (*corner, _visibility(shape)) for name, corner in zip(names, corners, strict=True)}
                    whole.append(LabelledSubject(label, points, where=here))
                    continue
                for name, corner in zip(names, corners, strict=True):
                    loose.append(Shape("point", name, (corner,), group, _visibility(shape), here))
            case "tag" | "attribute":
                pass
            case other:
                unread[f"CVAT shapes of type {other}"] += 1
    return (*whole, *(subjects_of(loose, where) if loose else ()))


def _skeleton(shape: ElementTree.Element, label: str, where: str) -> LabelledSubject:
    points = {
        point.get("label") or "": (*_corners(point, where)[0], _visibility(point))
        for point in shape.iterfind("points")
        if point.get("outside") != "1"
    }
    return LabelledSubject(label, points, where=where)


def _visibility(shape: ElementTree.Element) -> int:
    return Visibility.OCCLUDED if shape.get("occluded") == "1" else Visibility.VISIBLE


def _corners(shape: ElementTree.Element, where: str) -> tuple[Point, ...]:
    pairs = [pair.split(",") for pair in (shape.get("points") or "").split(";") if pair]
    if not pairs or any(len(pair) != 2 for pair in pairs) or (shape.tag == "polygon" and len(pairs) < 3):
        raise DataError(f"points are `{(shape.get('points') or '')[:40]}`", where=where, hint="points are x,y;x,y ...")
    return tuple((number(x, where, "x"), number(y, where, "y")) for x, y in pairs)
