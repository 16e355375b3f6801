"""DAVIS 2016 and 2017: frames of short videos, and the mask of each object in them.

The layout: JPEGImages/480p/SEQUENCE/00000.jpg, Annotations/480p/SEQUENCE/00000.png, and lists of sequences in
ImageSets/YEAR/PART.txt, or of frames in ImageSets/480p/PART.txt (rows begin with /JPEGImages/480p/SEQUENCE/00000.jpg).
"""

from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from gensight.errors import DataError, ResourceError
from gensight.files.columns import cache_folder, read_columns, write_columns
from gensight.files.hashing import value_hash
from gensight.files.images import image_size, read_image
from gensight.readers.base import Finding, Reader, Summary
from gensight.readers.shared.checking import check_samples
from gensight.readers.shared.label_maps import LabelMask, has_palette, mask_box, read_label_map
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    folder_names,
    keep_present,
    read_list,
    require_folder,
)
from gensight.samples import Array, Instance, Sample, Size

VERSION = 1  # of the boxes in the cache folder
_CATEGORY = "object"  # DAVIS has no object classes


class DavisReader(Reader):
    """The frames of a DAVIS folder in order, sequence by sequence.

    Keys are `SEQUENCE/00000`; a sequence is a group. Each object is an instance with a lazy mask and the identity
    `SEQUENCE/NUMBER`, the same in all frames. Frames without an annotation are unlabelled (`instances` is None).

    Palette annotations (2017) hold a number per object; grey ones (2016) are one object wherever they aren't 0. Which
    objects a sequence has is read from its first annotation, as DAVIS defines it, so an object hidden in a frame is
    still listed there, with an empty mask. With `boxes` all annotations are read when the folder is opened for the
    first time (a few milliseconds a frame; later openings find the boxes in the cache folder): instances then have
    boxes, and each frame lists what is seen in it.

    Args:
        root: The folder that holds JPEGImages.
        part: Name of a list, such as `train` or `val`; None: every sequence.
        year: Edition: where the lists are, and whether objects are separate (2017) or merged into one (2016).
        resolution: Folder of that name below JPEGImages and Annotations.
        boxes: Whether to find the objects' boxes.
        missing: What to do with sequences that the list names and that are not there: refuse (`error`), or leave them
            out and count (`drop`).

    Raises:
        DataError: Naming the folder, list or file that is wrong.
    """

    name = "davis"
    categories = (_CATEGORY,)

    def __init__(
        self,
        root: str | Path,
        part: str | None = None,
        year: Literal[2016, 2017] = 2017,
        resolution: str = "480p",
        boxes: bool = False,
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        self.year = year
        self._images = self.root / "JPEGImages" / resolution
        self._labels = self.root / "Annotations" / resolution
        require_folder(self._images, "folder of the frames", "name the folder that holds JPEGImages/480p")
        there = [name for name in folder_names(self._images) if (self._images / name).is_dir()]
        self.dropped: dict[str, int] = {}
        if part is not None:
            path = self._list(part, resolution)
            listed = list(dict.fromkeys(_sequence(row) for row in read_list(path)))
            there, self.dropped = keep_present(listed, set(there).__contains__, "sequences", path, missing)
        self._frames: list[tuple[str, str, str]] = []  # sequence, frame, file
        for sequence in there:
            files = files_by_stem(self._images / sequence)
            self._frames += [(sequence, frame, name) for frame, name in files.items()]
        if not self._frames:
            raise DataError("the sequences hold no frames", where=self._images, hint="check the folder")
        self._annotated = {sequence: files_by_stem(self._labels / sequence, (".png",)) for sequence in there}
        self._single = {sequence: self._is_single(sequence) for sequence in there}
        self._objects = {} if boxes else {sequence: self._objects_of(sequence) for sequence in there}
        self._boxes = self._find_boxes() if boxes else None

    def _list(self, part: str, resolution: str) -> Path:
        """Where the list lies: by edition, or by resolution as in the first one."""
        by_year = self.root / "ImageSets" / str(self.year) / f"{part}.txt"
        by_resolution = self.root / "ImageSets" / resolution / f"{part}.txt"
        if not by_year.is_file() and by_resolution.is_file():
            return by_resolution
        if not (self.root / "ImageSets").is_dir():
            hint = "leave the part out to read every sequence, or divide them by name"
            raise DataError(f"there are no lists, so no `{part}`", where=self.root / "ImageSets", hint=hint)
        return by_year

    def _is_single(self, sequence: str) -> bool:
        """Whether all that isn't background is one object."""
        first = next(iter(self._annotated[sequence].values()), None)
        return self.year == 2016 or first is None or not has_palette(self._labels / sequence / first)

    def _objects_of(self, sequence: str) -> list[int]:
        """Numbers of the objects in a sequence's first annotation."""
        first = next(iter(self._annotated[sequence].values()), None)
        if first is None:
            return []
        return [1] if self._single[sequence] else _numbers(read_label_map(self._labels / sequence / first))

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        sequence, frame, name = self._frames[index]
        path = self._images / sequence / name
        size = image_size(path)
        return Sample(
            f"{sequence}/{frame}",
            size,
            partial(read_image, path),
            self._instances(index, size),
            group=sequence,
            path=str(path),
        )

    def _instances(self, index: int, size: Size) -> tuple[Instance, ...] | None:
        sequence, frame, _ = self._frames[index]
        file = self._annotated[sequence].get(frame)
        if file is None:
            return None
        seen: list[tuple[int, Array | None]]
        if self._boxes is None:
            seen = [(number, None) for number in self._objects[sequence]]
        else:
            start, stop = np.searchsorted(self._boxes["frame"], [index, index + 1]).tolist()
            boxes = self._boxes["box"][start:stop]
            seen = [(int(n), np.array(box)) for n, box in zip(self._boxes["number"][start:stop], boxes, strict=True)]
        path = self._labels / sequence / file
        return tuple(
            Instance(
                category=_CATEGORY,
                box=box,
                mask=LabelMask(path, size, None if self._single[sequence] else number),
                identity=f"{sequence}/{number}",
            )
            for number, box in seen
        )

    def _find_boxes(self) -> dict[str, Array]:
        """Columns `frame` (ascending), `number` and `box` of all visible objects: from the cache, or from the masks."""
        cached = cache_folder() / "davis" / f"{self._boxes_key()}.columns"
        if cached.is_file():
            try:
                return {name: np.array(column) for name, column in read_columns(cached)[0].items()}
            except DataError:
                pass  # damaged: made again below
        rows: list[tuple[int, int, Array]] = []
        for index, (sequence, frame, _) in enumerate(self._frames):
            file = self._annotated[sequence].get(frame)
            if file is None:
                continue
            labels = read_label_map(self._labels / sequence / file)
            if self._single[sequence]:
                labels = labels != 0
            for number in _numbers(labels):
                box = mask_box(labels == number)
                assert box is not None
                rows.append((index, number, box))
        columns = {
            "frame": np.array([row[0] for row in rows], dtype=np.int64),
            "number": np.array([row[1] for row in rows], dtype=np.int64),
            "box": np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4),
        }
        with suppress(ResourceError, OSError):  # then they are found again next time
            write_columns(cached, columns, None)
        return columns

    def _boxes_key(self) -> str:
        """Depends on which annotations there are, and on their sizes and times."""
        files: list[Any] = [VERSION, self.year, str(self._labels.resolve())]
        for sequence, frame, _ in self._frames:
            file = self._annotated[sequence].get(frame)
            if file is not None:
                stat = (self._labels / sequence / file).stat()
                files.append([sequence, file, stat.st_size, stat.st_mtime_ns])
            else:
                files.append([sequence, frame])
        return value_hash(files)[:32]

    @property
    def groups(self) -> list[str]:
        return [sequence for sequence, _, _ in self._frames]

    @property
    def folder(self) -> Path:
        return self.root

    def check(self) -> Summary:
        """Reads every frame and mask; also reports objects that a sequence's first annotation doesn't have."""
        findings: list[Finding] = []
        unlabelled = sum(frame not in self._annotated[sequence] for sequence, frame, _ in self._frames)
        if unlabelled:
            findings.append(Finding("note", "frames without an annotation", count=unlabelled))
        findings += self._late_objects()
        return check_samples(self.sample, len(self), findings, self.dropped)

    def _late_objects(self) -> list[Finding]:
        late = []
        for sequence, objects in self._objects.items():
            if self._single[sequence]:
                continue
            found: set[int] = set()
            for file in self._annotated[sequence].values():
                try:
                    found |= set(_numbers(read_label_map(self._labels / sequence / file)))
                except DataError:
                    continue  # reported as a broken mask
            if found - set(objects):
                late.append(sequence)
        what = "sequence with objects that its first annotation doesn't have, which are left out"
        return [Finding("warning", what, "; ".join(late), len(late))] if late else []


def _numbers(labels: Array) -> list[int]:
    """The values of a label map but 0, ascending."""
    return (np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1).tolist()


def _sequence(row: str) -> str:
    """The sequence that a row of a list names: itself, or the folder of its first path."""
    first = row.split()[0]
    return PurePosixPath(first).parent.name if "/" in first else first
