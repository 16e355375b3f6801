"""Tables of points: a row per point, or per image. Coordinates have 0 at the centre of the first pixel.

Frames of a video and pages of a TIFF have a column `frame` beside the file's, from 0.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gensight.errors import DataError
from gensight.readers.deeplabcut.tables import read_rows
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet, number
from gensight.samples import Visibility

OFFSET = 0.5
_IMAGE = ("image", "filename", "file", "file_name", "img", "path", "image_path", "image_name", "image_id", "video",
          "frame")  # fmt: skip
_FRAME = ("frame", "frame_idx", "frame_index", "frame_number", "page")
_NAME = ("keypoint", "bodypart", "body_part", "landmark", "part", "joint", "label", "point", "name")
_SUBJECT = ("individual", "animal", "subject", "instance", "identity", "track", "id", "person")
_PAIR = re.compile(r"^(?:(?P<before>.+?)[_. -]?(?P<axis>[xy])|(?P<axis2>[xy])[_. -](?P<after>.+))$", re.IGNORECASE)


def is_points_csv(path: Path) -> bool:
    """Whether a csv has a column of images, and x and y of points."""
    try:
        with path.open("rb") as file:
            head = read_rows(file.read(1 << 16).rpartition(b"\n")[0] or path.read_bytes(), path)
    except (DataError, OSError):
        return False
    if len(head) < 2:
        return False
    header = [cell.strip().lower() for cell in head[0]]
    return _column(header, _IMAGE) is not None and (_is_long(header) or bool(_pairs(head[0])))


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _is_long(header: Sequence[str]) -> bool:
    return {"x", "y"} <= set(header) and _column(header, _NAME) is not None


def _pairs(header: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Keypoint -> its columns of x and y."""
    places: dict[str, dict[str, int]] = {}
    for index, cell in enumerate(header):
        match = _PAIR.match(cell.strip())
        if match:
            axis = (match["axis"] or match["axis2"]).lower()
            places.setdefault(match["before"] or match["after"], {})[axis] = index
    return {name: (axes["x"], axes["y"]) for name, axes in places.items() if len(axes) == 2}


def read_points_csv(root: Path, files: Sequence[Path]) -> LabelSet:
    """Long: columns image, keypoint, x, y (and individual). Wide: image, then NAME_x and NAME_y of each keypoint."""
    images: list[LabelledImage] = []
    names: dict[str, None] = {}
    for path in files:
        rows = read_rows(path.read_bytes(), path)
        header = [cell.strip().lower() for cell in rows[0]]
        image, subject = _column(header, _IMAGE), _column(header, _SUBJECT)
        assert image is not None
        long, frame = _is_long(header), _column(header, _FRAME)
        frame = None if frame == image else frame
        name, pairs = _column(header, _NAME) if long else None, _pairs(rows[0])
        found: dict[tuple[str, int | None], dict[str, dict[str, tuple[float, float, int]]]] = {}
        for line, row in enumerate(rows[1:], start=2):
            where = f"{path}, row {line}"
            if len(row) < len(header):
                raise DataError(f"{len(row)} cells, but the header has {len(header)}", where=where)
            who = row[subject].strip() if subject is not None and subject not in (image, name) else ""
            place = None if frame is None else int(number(row[frame], where, "`frame`"))
            points = found.setdefault((row[image].strip(), place), {}).setdefault(who, {})
            columns = {row[name].strip(): (header.index("x"), header.index("y"))} if name is not None else pairs
            for keypoint, (x, y) in columns.items():
                names[keypoint] = None
                cells = [row[column].strip() for column in (x, y)]
                if all(cell.lower() in ("", "nan", "na", "null") for cell in cells):
                    continue
                if keypoint in points:
                    hint = "add a column `individual` where an image has several subjects"
                    raise DataError(f"keypoint `{keypoint}` has two rows of one image", where=where, hint=hint)
                ends = [number(cell, where, f"`{keypoint}`") + OFFSET for cell in cells]
                points[keypoint] = (ends[0], ends[1], int(Visibility.VISIBLE))
        for (key, place), subjects in found.items():
            people = tuple(
                LabelledSubject("subject", points, identity=who or None, where=f"{path}, {key}")
                for who, points in subjects.items() if points
            )  # fmt: skip
            images.append(LabelledImage(key, path, people, frame=place))
    return LabelSet(images, tuple(names))
