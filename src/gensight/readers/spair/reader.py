"""SPair-71k: pairs of images of one class, with the same parts marked in both.

The layout: JPEGImages/CLASS/NAME.jpg, ImageAnnotation/CLASS/NAME.json (box and numbered parts of an image),
Layout/large/PART.txt (rows ID-SOURCE-TARGET:CLASS), PairAnnotation/PART/ID-SOURCE-TARGET:CLASS.json (parts that both
images show). Points are indices of pixels, so 0.5 is added. Boxes keep their numbers as edges: published scores divide
by their longer side just so.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from gensight.errors import DataError, did_you_mean
from gensight.files.strangers import decode_json
from gensight.readers.base import Reader
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    image_sample,
    keep_present,
    read_list,
    require_folder,
)
from gensight.samples import Array, Instance, Keypoints, Relation, Sample, Visibility
from gensight.skeletons import Skeleton

OFFSET = 0.5
NUM_PARTS = 30
# A number means another part in each class.
SPAIR_PARTS = Skeleton("spair-30", tuple(f"part_{number}" for number in range(NUM_PARTS)))
Part = Literal["trn", "val", "test"]
PARTS: tuple[Part, Part, Part] = ("trn", "val", "test")

_HINT = "download the file again, or leave the pair out of the list"


class _Image(msgspec.Struct):
    """ImageAnnotation: `kps` maps numbers to [x, y], or null where a part is not seen."""

    image_width: int
    image_height: int
    bndbox: list[float]
    kps: dict[str, list[float] | None]


class _Pair(msgspec.Struct):
    """PairAnnotation. Sizes are (width, height, channels); `kps_ids` numbers the rows of both lists of points."""

    src_imname: str
    trg_imname: str
    src_bndbox: list[float]
    trg_bndbox: list[float]
    src_kps: list[list[float]]
    trg_kps: list[list[float]]
    kps_ids: list[int | str] = []


class SpairReader(Reader):
    """The images of the pairs of one part, and the pairs.

    Keys are `CLASS/NAME`; the class is label and group. Each image has one instance with its box and the parts that are
    seen in it, under `SPAIR_PARTS`. `relation` gives a pair's points and boxes, in either order of its images.

    Args:
        root: The folder that holds JPEGImages.
        part: `trn`, `val` or `test`.
        category: Read only the pairs of this class.
        missing: Refuse (`error`) pairs whose annotation or images are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the list and row, or the file, that is wrong.
    """

    name = "spair"
    skeleton = SPAIR_PARTS

    def __init__(
        self,
        root: str | Path,
        part: Part = "trn",
        category: str | None = None,
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        self.part = part
        require_folder(self.root / "JPEGImages", "folder of the images", "name the folder that holds it: SPair-71k")
        path = self.root / "Layout" / "large" / f"{part}.txt"
        rows = read_list(path)
        if category is not None:
            rows = self._of_category(rows, category, path)
        annotated = set(files_by_stem(self.root / "PairAnnotation" / part, (".json",)))
        rows, self.dropped = keep_present(rows, annotated.__contains__, "pair annotations", path, missing)
        named = [_split_row(row, path) for row in rows]
        self._files = {
            kind: files_by_stem(self.root / "JPEGImages" / kind) for kind in dict.fromkeys(kind for kind, _, _ in named)
        }
        self.categories = tuple(sorted(self._files))
        named_images = list(dict.fromkeys(f"{kind}/{name}" for kind, *pair in named for name in pair))
        self._keys, absent = keep_present(named_images, self._is_there, "images", path, missing)
        self.dropped |= absent
        self._images = {key: self._read_image_labels(key) for key in self._keys}
        place = {key: index for index, key in enumerate(self._keys)}
        self._pairs: dict[tuple[int, int], str] = {}
        for row, (kind, first, second) in zip(rows, named, strict=True):
            pair = place.get(f"{kind}/{first}"), place.get(f"{kind}/{second}")
            if pair[0] is not None and pair[1] is not None:
                self._pairs[pair[0], pair[1]] = row

    def _of_category(self, rows: list[str], category: str, path: Path) -> list[str]:
        chosen = [row for row in rows if row.rpartition(":")[2] == category]
        if not chosen:
            known = sorted({row.rpartition(":")[2] for row in rows})
            hint = did_you_mean(category, known)
            raise DataError(f"there are no pairs of `{category}`", where=path, choices=known, hint=hint)
        return chosen

    def _is_there(self, key: str) -> bool:
        kind, _, name = key.partition("/")
        return name in self._files[kind]

    def _read_image_labels(self, key: str) -> _Image:
        path = self.root / "ImageAnnotation" / f"{key}.json"
        image = _read(path, _Image)
        numbers = image.kps
        if len(image.bndbox) != 4 or not all(
            number.isdecimal() and int(number) < NUM_PARTS and (point is None or len(point) == 2)
            for number, point in numbers.items()
        ):
            hint = f"kps holds [x, y] or null under 0 to {NUM_PARTS - 1}, bndbox four edges"
            raise DataError("no annotation of an image", where=path, hint=hint)
        return image

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key = self._keys[index]
        kind, _, name = key.partition("/")
        labels = self._images[key]
        size = labels.image_height, labels.image_width
        path = self.root / "JPEGImages" / kind / self._files[kind][name]
        instance = Instance(category=kind, box=np.array(labels.bndbox, dtype=np.float64), keypoints=_keypoints(labels))
        source = self.root / "ImageAnnotation" / f"{key}.json"
        return image_sample(key, path, size, source, instances=(instance,), label=kind, group=kind)

    def pairs(self) -> Sequence[tuple[int, int]]:
        """The pairs of the part, in the order of its list."""
        return list(self._pairs)

    def relation(self, first: int, second: int) -> Relation | None:
        """The points and boxes of a pair; None of images that aren't one.

        Raises DataError if the pair's annotation is broken.
        """
        swapped = (first, second) not in self._pairs
        row = self._pairs.get((second, first) if swapped else (first, second))
        if row is None:
            return None
        path = self.root / "PairAnnotation" / self.part / f"{row}.json"
        pair = _read(path, _Pair)
        tracks, boxes = _points(pair, path), _boxes(pair, path)
        return Relation("tracks", tracks[::-1].copy(), boxes=boxes[::-1].copy()) if swapped else Relation(
            "tracks", tracks, boxes=boxes
        )  # fmt: skip

    def group(self, index: int) -> str:
        return self._keys[index].partition("/")[0]

    def findings(self) -> Iterator[Finding]:
        """Pairs whose annotation is broken, or that have no common point."""
        for first, second in self._pairs:
            try:
                relation = self.relation(first, second)
            except DataError as error:
                yield Finding("error", error.what, error.where or "")
                continue
            if relation is not None and relation.tracks is not None and not relation.tracks.size:
                yield Finding("note", "pair without a common point", self._pairs[first, second])


def _split_row(row: str, path: Path) -> tuple[str, str, str]:
    """(class, source, target) of a row `ID-SOURCE-TARGET:CLASS`."""
    names, colon, kind = row.rpartition(":")
    parts = names.split("-")
    if not colon or len(parts) != 3 or not all(parts) or "/" in row:
        raise DataError(f"`{row}` names no pair", where=path, hint="rows are ID-SOURCE-TARGET:CLASS")
    return kind, parts[1], parts[2]


def _read(path: Path, kind: type[Any]) -> Any:
    """A json file as one of the structures above."""
    try:
        return decode_json(path.read_bytes(), kind)
    except FileNotFoundError as error:
        raise DataError("annotation not found", where=path, hint="check the folder") from error
    except msgspec.DecodeError as error:
        raise DataError(f"not an annotation of SPair-71k: {error}", where=path, hint=_HINT) from error


def _points(pair: _Pair, path: Path) -> Array:
    """float64 (2, n, 2) in continuous pixels."""
    both = (pair.src_kps, pair.trg_kps)
    if len({len(points) for points in both}) > 1 or any(len(point) != 2 for points in both for point in points):
        what = f"{len(both[0])} points (x, y) in the source and {len(both[1])} in the target don't make pairs"
        raise DataError(what, where=path, hint=_HINT)
    return np.array(both, dtype=np.float64).reshape(2, -1, 2) + OFFSET


def _boxes(pair: _Pair, path: Path) -> Array:
    """float64 (2, 4)."""
    if len(pair.src_bndbox) != 4 or len(pair.trg_bndbox) != 4:
        raise DataError("a bndbox of other than four numbers", where=path, hint=_HINT)
    return np.array([pair.src_bndbox, pair.trg_bndbox], dtype=np.float64)


def _keypoints(labels: _Image) -> Keypoints:
    points = np.full((NUM_PARTS, 2), np.nan)
    for number, point in labels.kps.items():
        if point is not None:
            points[int(number)] = np.array(point) + OFFSET
    seen = np.isfinite(points).all(1)
    visibility = np.where(seen, Visibility.VISIBLE, Visibility.UNLABELLED).astype(np.int8)
    return Keypoints(SPAIR_PARTS, points, visibility, np.ones(NUM_PARTS, np.float32))
