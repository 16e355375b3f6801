"""COCO json files in a folder, and where the images lie that they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from gensight.readers.coco.entries import read_images
from gensight.readers.coco.index import open_index
from gensight.readers.shared.listings import find_files

MOST_FOLDERS = 2000


class _Header(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]


@dataclass(frozen=True)
class CocoFile:
    """A COCO json and the folder in which its images lie, both relative to the data set's."""

    annotations: str
    images: str
    categories: tuple[str, ...]
    has_keypoints: bool

    @property
    def role(self) -> str:
        """`train`, `validation` or `test`, from its name."""
        name = self.annotations.lower()
        return next((role for word, role in (("train", "train"), ("val", "validation"), ("test", "test"))
                     if word in name), "train")  # fmt: skip


def find_coco_files(root: Path) -> tuple[list[CocoFile], list[str]]:
    """Every COCO json up to three folders deep whose images can be found, and a line for each of the others.

    Raises:
        DataError: One of them is no good, naming the annotation that is wrong.
    """
    folders = [root, *islice((path for path in sorted(root.glob("**/")) if path != root and _visible(path, root)),
                             MOST_FOLDERS)]  # fmt: skip
    found, lost = [], []
    for path in sorted(path for depth in ("*", "*/*", "*/*/*") for path in root.glob(f"{depth}.json")):
        header = _header(path)
        if header is None:
            continue
        entries = header.images[:: max(1, len(header.images) // 5)][:5]
        names = [image.file_name for image in read_images(entries, str(path))]
        home = _home(names, folders, root)
        if home is None:
            label = path.relative_to(root).as_posix()
            lost.append(f"{label} has COCO labels of {len(header.images)} images that are not below this folder, such "
                        f"as {names[0]}: put them there")  # fmt: skip
            continue
        categories = open_index(path).categories
        pointed = [category for category in categories if category.keypoints]
        chosen = tuple(category.name for category in pointed or categories)
        found.append(CocoFile(path.relative_to(root).as_posix(), home.relative_to(root).as_posix(), chosen,
                              bool(pointed)))  # fmt: skip
    return found, lost


def _home(names: Sequence[str], folders: Sequence[Path], root: Path) -> Path | None:
    """The folder that holds the images, by their exact names or, below the root, by what they end with."""
    exact = (folder for folder in folders if all((folder / name).is_file() for name in names))
    home = next(exact, None)
    if home is None and len(find_files(list(names), root)) == len(names):
        home = root
    return home


def _visible(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _header(path: Path) -> _Header | None:
    """The entries of a COCO json; None for any other json."""
    try:
        header = msgspec.json.decode(path.read_bytes(), type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError):
        return None
    return header if header.images and header.categories else None
