"""DAVIS 2016 and 2017: frames of short videos, and the mask of each object in them.

The layout: JPEGImages/480p/SEQUENCE/00000.jpg, Annotations/480p/SEQUENCE/00000.png, and lists of sequences in
ImageSets/YEAR/PART.txt, or of frames in ImageSets/480p/PART.txt (rows begin with /JPEGImages/480p/SEQUENCE/00000.jpg).
"""

from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.readers.base import Reader
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.label_maps import LabelMask, has_palette, read_label_map
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    folder_names,
    image_sample,
    keep_present,
    read_list,
    require_folder,
)
from gensight.samples import Array, Instance, Sample, Size

_RESOLUTION = "480p"
_CATEGORY = "object"  # DAVIS has no object classes


class DavisReader(Reader):
    """The frames of a DAVIS folder in order, sequence by sequence.

    Keys are `SEQUENCE/00000`; a sequence is a group. Each object is an instance with a lazy mask and the identity
    `SEQUENCE/NUMBER`, the same in all frames. Frames without an annotation are unlabelled (`instances` is None).

    Palette annotations (2017) hold a number per object; grey ones (2016) are one object wherever they aren't 0. Which
    objects a sequence has is read from its first annotation, as DAVIS defines it, so an object hidden in a frame is
    still listed there, with an empty mask.

    Args:
        root: The folder that holds JPEGImages.
        part: Name of a list, such as `train` or `val`; None: every sequence.
        year: Edition: where the lists are, and whether objects are separate (2017) or merged into one (2016).
        missing: Refuse (`error`) sequences that the list names and that are not there, or leave out and count (`drop`).

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
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        self.year = year
        self._images = self.root / "JPEGImages" / _RESOLUTION
        self._labels = self.root / "Annotations" / _RESOLUTION
        require_folder(self._images, "folder of the frames", "name the folder that holds JPEGImages/480p")
        there = [name for name in folder_names(self._images) if (self._images / name).is_dir()]
        self.dropped: dict[str, int] = {}
        if part is not None:
            path = self._list(part)
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
        self._objects = {sequence: self._objects_of(sequence) for sequence in there}

    def _list(self, part: str) -> Path:
        """Where the list lies: by edition, or by resolution as in the first one."""
        by_year = self.root / "ImageSets" / str(self.year) / f"{part}.txt"
        by_resolution = self.root / "ImageSets" / _RESOLUTION / f"{part}.txt"
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
        return image_sample(f"{sequence}/{frame}", path, size, instances=self._instances(index, size), group=sequence)

    def _instances(self, index: int, size: Size) -> tuple[Instance, ...] | None:
        sequence, frame, _ = self._frames[index]
        file = self._annotated[sequence].get(frame)
        if file is None:
            return None
        path = self._labels / sequence / file
        return tuple(
            Instance(
                category=_CATEGORY,
                mask=LabelMask(path, size, None if self._single[sequence] else number),
                identity=f"{sequence}/{number}",
            )
            for number in self._objects[sequence]
        )

    def group(self, index: int) -> str:
        return self._frames[index][0]

    def findings(self) -> list[Finding]:
        """Frames without an annotation, and objects that a sequence's first annotation doesn't have."""
        findings: list[Finding] = []
        unlabelled = sum(frame not in self._annotated[sequence] for sequence, frame, _ in self._frames)
        if unlabelled:
            findings.append(Finding("note", "frames without an annotation", count=unlabelled))
        return findings + self._late_objects()

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
        return [Finding.at("warning", what, late)] if late else []


def _numbers(labels: Array) -> list[int]:
    """The values of a label map but 0, ascending."""
    return (np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1).tolist()


def _sequence(row: str) -> str:
    """The sequence that a row of a list names: itself, or the folder of its first path."""
    first = row.split()[0]
    return PurePosixPath(first).parent.name if "/" in first else first
