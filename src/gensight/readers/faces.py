"""Faces with 68 points, as iBUG 300-W numbers them (Sagonas et al., 2016): `.pts` files, or a csv of all images.

- `NAME.pts` beside the image of that name: `version: 1`, `n_points: 68`, then `x y` lines in braces. MATLAB counts
  pixels from 1, so 0.5 is taken off.
- A csv whose first column names the image, and 136 columns of numbers follow: `x, y, x, y, ...`, or by names of an x or
  y and a number (`part_0_x`, `x_0`). Pixels are counted from 0, so 0.5 is added. The image lies at that path from the
  csv, or anywhere below the root under that name.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.base import Reader
from gensight.readers.label_files.pts import OFFSET, pts_image, pts_numbers
from gensight.readers.shared.listings import (
    Missing,
    image_sample,
    keep_present,
    numbers,
    read_text,
    require_folder,
)
from gensight.samples import Array, Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{number}" for number in range(1, count + 1)]


def _mirrored(names: list[str]) -> list[str]:
    """Of the right side -> of the left side, from the nose outwards."""
    return [name.replace("right", "left") for name in reversed(names)]


_JAW, _BROW, _NOSTRIL = _numbered("right_jaw", 8), _numbered("right_brow", 5), _numbered("right_nostril", 2)
_EYE = [f"eye_{part}" for part in ("outer", "upper_outer", "upper_inner", "inner", "lower_inner", "lower_outer")]
_UPPER, _LOWER = _numbered("right_upper_lip", 2), _numbered("right_lower_lip", 2)
_NAMES = [
    *_JAW, "chin", *_mirrored(_JAW), *_BROW, *_mirrored(_BROW), *_numbered("nose_bridge", 4), *_NOSTRIL, "nose_base",
    *_mirrored(_NOSTRIL), *(f"right_{part}" for part in _EYE), *(f"left_{_EYE[k]}" for k in (3, 2, 1, 0, 5, 4)),
    "right_mouth_corner", *_UPPER, "upper_lip", *_mirrored(_UPPER), "left_mouth_corner",
    *reversed(_mirrored(_LOWER)), "lower_lip", *reversed(_LOWER),
    "right_inner_corner", "right_inner_upper_lip", "inner_upper_lip", "left_inner_upper_lip", "left_inner_corner",
    "left_inner_lower_lip", "inner_lower_lip", "right_inner_lower_lip",
]  # fmt: skip
_RUNS = ((0, 17, False), (17, 22, False), (22, 27, False), (27, 31, False), (31, 36, False), (36, 42, True),
         (42, 48, True), (48, 60, True), (60, 68, True))  # fmt: skip
FACE_68 = Skeleton(
    "face-68",
    tuple(_NAMES),
    tuple(
        edge
        for first, end, closed in _RUNS
        for edge in [*((k, k + 1) for k in range(first, end - 1)), *([(end - 1, first)] if closed else [])]
    ),
)
_FROM_ZERO = 0.5  # to pixels whose top-left centre is (0.5, 0.5)


class FacesReader(Reader):
    """Faces with 68 points each, one to an image; their box is the points' extent. Keys are paths from the root.

    Args:
        root: The folder, with `.pts` files or a csv at any depth; where it has both, the `.pts` files are read.
        missing: What to do with points whose image is not there.

    Raises:
        DataError: There are no such files, or one is not laid out as above.
    """

    name = "faces"
    skeleton = FACE_68
    categories = ("face",)

    def __init__(self, root: str | Path, missing: Missing = "error") -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        files, read = sorted(self.root.rglob("*.pts")), _of_pts
        if not files:
            files, read = sorted(path for path in self.root.rglob("*.csv") if _has_68(path)), _of_csv
        if not files:
            raise DataError(
                "neither a .pts file nor a csv of 68 points is there",
                where=self.root,
                hint="a csv has the image's name, then 136 columns of x and y",
            )
        found = {key: points for path in files for key, points in read(path, self.root)}
        keys = list(found)
        self._keys, self.dropped = keep_present(
            keys, lambda key: (self.root / key).is_file(), "images", self.root if len(files) > 1 else files[0], missing
        )
        self._points = np.stack([found[key] for key in self._keys])

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key, points = self._keys[index], self._points[index]
        seen = np.full(len(points), Visibility.VISIBLE, np.int8)
        keypoints = Keypoints(FACE_68, points, seen, np.ones(len(points), np.float32))
        face = Instance("face", np.concatenate([points.min(0), points.max(0)]), keypoints)
        return image_sample(key, self.root / key, instances=(face,), group=key)

    def group(self, index: int) -> str:
        return self._keys[index]


def is_faces(root: Path) -> bool:
    """Whether a folder holds .pts files of 68 points, or, without any .pts file, a csv of 68."""
    first = next(root.rglob("*.pts"), None)
    try:
        return any(map(_has_68, root.rglob("*.csv"))) if first is None else len(pts_numbers(first)) == 136
    except (DataError, OSError):
        return False


def _of_pts(path: Path, root: Path) -> Iterator[tuple[str, Array]]:
    """The image's path from the root, and float64 (68, 2)."""
    points = np.array(numbers(" ".join(pts_numbers(path)), 136, path, "68 points")).reshape(68, 2)
    yield pts_image(path).relative_to(root).as_posix(), points + OFFSET


def _of_csv(path: Path, root: Path) -> Iterator[tuple[str, Array]]:
    rows = list(csv.reader(read_text(path).splitlines()))
    order = _columns(rows[0])
    named = {other.name: other for other in root.rglob("*") if other.suffix.lower() in IMAGE_SUFFIXES}
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        image = path.parent / row[0]
        image = image if image.is_file() else named.get(Path(row[0]).name, image)
        values = np.array(numbers(" ".join(row[1:]), 136, path, f"68 points in line {line}"))
        if ".." in image.parts or not image.is_relative_to(root):
            raise DataError(f"line {line} names an image outside the folder: {row[0]}", where=path)
        yield image.relative_to(root).as_posix(), values[order].reshape(68, 2) + _FROM_ZERO


def _has_68(path: Path) -> bool:
    """Whether a csv's first line has an image's column and 136 others."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return any(len(row) == 137 for row in islice(csv.reader(file), 1))


def _columns(header: Sequence[str]) -> list[int]:
    """Where x and y of each point stand among the numbers: by name, or in turn."""
    named = {}
    for column, name in enumerate(header[1:]):
        axis, number = re.search(r"[xy]", name.lower()), re.search(r"\d+", name)
        if axis and number:
            named[int(number[0]), axis[0]] = column
    order = sorted(named)
    return [named[key] for key in order] if len(order) == 136 else list(range(136))
