"""The formats of annotation tools, by name: how their files are recognised, and what reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gensight.errors import DataError
from gensight.readers.label_files.cvat import is_cvat, read_cvat
from gensight.readers.label_files.json_tools import (
    is_label_studio,
    is_labelme,
    is_via,
    read_label_studio,
    read_labelme,
    read_via,
)
from gensight.readers.label_files.points_csv import is_points_csv, read_points_csv
from gensight.readers.label_files.pts import is_pts, read_pts
from gensight.readers.label_files.records import LabelSet, read_json_file
from gensight.readers.label_files.sleap import is_sleap, read_sleap
from gensight.readers.label_files.yolo import is_yolo, read_yolo
from gensight.readers.shared.listings import below

MOST_FILES = 100_000
_VIA_CSV = b"filename,file_size,file_attributes"


@dataclass(frozen=True)
class LabelFormat:
    """One tool's files.

    Attributes:
        title: The tool and its files, for messages.
        read: From a root and its files of this format.
        suffixes: Of its files.
        is_file: Whether a file with one of them is of this format; of a json file, what it holds decides.
        is_json: The same for the content of a json file.
    """

    title: str
    read: Callable[[Path, Sequence[Path]], LabelSet]
    suffixes: tuple[str, ...]
    is_file: Callable[[Path], bool] = lambda path: False
    is_json: Callable[[Any], bool] = lambda value: False


def _is_via_csv(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).lstrip(b"\xef\xbb\xbf#").startswith(_VIA_CSV)


FORMATS = {
    "sleap": LabelFormat("SLEAP", read_sleap, (".slp", ".h5", ".csv"), is_sleap),
    "labelme": LabelFormat("labelme json", read_labelme, (".json",), is_json=is_labelme),
    "via": LabelFormat("VGG Image Annotator", read_via, (".json", ".csv"), _is_via_csv, is_via),
    "label-studio": LabelFormat("Label Studio json", read_label_studio, (".json",), is_json=is_label_studio),
    "cvat": LabelFormat("CVAT xml", read_cvat, (".xml",), is_cvat),
    "yolo": LabelFormat("YOLO txt", read_yolo, (".txt",), is_yolo),
    "points-csv": LabelFormat("csv of points", read_points_csv, (".csv",), is_points_csv),
    "pts": LabelFormat("points files (.pts)", read_pts, (".pts",), is_pts),
}


def format_of(path: Path) -> str | None:
    """The name of a label file's format; None for a file of none of them."""
    suffix = path.suffix.lower()
    try:
        value = read_json_file(path) if suffix == ".json" else None
        for name, one in FORMATS.items():
            if suffix in one.suffixes and (one.is_json(value) if suffix == ".json" else one.is_file(path)):
                return name
    except (DataError, OSError):
        pass
    return None


def find_label_files(root: Path) -> dict[str, list[Path]]:
    """Name of each format -> its files below a folder; `root` may be one label file, too.

    A broken json among those of labelme, which has one for each image, counts as one of them: its reading is refused.
    """
    suffixes = {suffix for one in FORMATS.values() for suffix in one.suffixes}
    paths = [root] if root.is_file() else [root / name for name in islice(below(root, suffixes), MOST_FILES)]
    found: dict[str, list[Path]] = {}
    others: list[Path] = []
    for path in paths:
        name = format_of(path)
        if name is not None:
            found.setdefault(name, []).append(path)
        elif path.suffix.lower() == ".json":
            others.append(path)
    folders = {path.parent for path in found.get("labelme", ())}
    found.get("labelme", []).extend(path for path in others if path.parent in folders and not _is_json(path))
    return found


def _is_json(path: Path) -> bool:
    try:
        read_json_file(path)
    except DataError:
        return False
    return True
