"""AP-10K: animals of 54 species with 17 keypoints, in COCO's format.

The layout: data/NAME.jpg and annotations/ap10k-PART-splitN.json, where PART is train, val or test and N is 1 to 3.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gensight.errors import DataError
from gensight.readers.coco.reader import CocoReader
from gensight.readers.shared.listings import Missing
from gensight.skeletons import ANIMAL_17

IMAGES, ANNOTATIONS = "data", "annotations"
Part = Literal["train", "val", "test"]
PARTS: tuple[Part, Part, Part] = ("train", "val", "test")
# AP-10K's names, where they differ from those of the skeleton: in its files, and in the tools that go with them.
_SPELLINGS = {"root_of_tail": "tail_root"}
_ABBREVIATED = (("l_f_", "left_front_"), ("r_f_", "right_front_"), ("l_b_", "left_back_"), ("r_b_", "right_back_"),
                ("l_", "left_"), ("r_", "right_"))  # fmt: skip


class Ap10kReader(CocoReader):
    """The images of one part of AP-10K and their animals; `CocoReader` with the keypoints as `animal-17`.

    Args:
        root: The folder that holds `data` and `annotations`.
        part: `train`, `val` or `test`.
        split: Which of the three official divisions.
        categories: Species to read; None reads all.
        missing: Refuse (`error`) images that are not in the folder, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and the entry that is wrong; also if its keypoints are not AP-10K's.
    """

    name = "ap10k"

    def __init__(
        self,
        root: str | Path,
        part: Part = "train",
        split: Literal[1, 2, 3] = 1,
        categories: Sequence[str] | None = None,
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        path = self.root / ANNOTATIONS / file_name(part, split)
        if self.root.is_dir() and not path.is_file():
            there = sorted(other.name for other in path.parent.glob("*.json")) if path.parent.is_dir() else []
            hint = "name the folder that holds `data` and `annotations`, and one of its splits"
            raise DataError("there is no such label file", where=path, choices=there, hint=hint)
        super().__init__(self.root / IMAGES, path, categories, missing=missing)
        for category in self._index.categories:
            found = tuple(_spelled(name) for name in category.keypoints)
            if found and found != ANIMAL_17.keypoints:
                where = f"{path}, category {category.name}"
                raise DataError("the keypoints are not AP-10K's", where=where, choices=ANIMAL_17.keypoints,
                                hint="read other COCO files with kind=coco")  # fmt: skip
        self._skeletons = [ANIMAL_17 if category.keypoints else None for category in self._index.categories]
        self.skeleton = ANIMAL_17

    @property
    def folder(self) -> Path:
        return self.root


def file_name(part: Part, split: int) -> str:
    """Name of a label file."""
    return f"ap10k-{part}-split{split}.json"


def _spelled(name: str) -> str:
    """A keypoint's name as the skeleton spells it."""
    name = name.strip().lower().replace(" ", "_")
    name = _SPELLINGS.get(name, name)
    for short, long in _ABBREVIATED:
        if name.startswith(short):
            return long + name.removeprefix(short)
    return name
