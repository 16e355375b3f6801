"""Oxford-IIIT Pet: 37 breeds of cats and dogs, with trimaps and the boxes of heads.

The layout: images/NAME.jpg, annotations/trimaps/NAME.png (1 animal, 2 background, 3 border), annotations/xmls/NAME.xml
(the head's box, for part of the images), annotations/trainval.txt and test.txt (rows of NAME, number of the breed,
species (1 cat, 2 dog), number within the species).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.readers.base import Reader
from gensight.readers.shared.class_maps import BACKGROUND, IGNORED, SEGMENTATION, ClassMap
from gensight.readers.shared.label_maps import LabelMask, read_label_map
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    image_sample,
    keep_present,
    read_list,
    require_folder,
)
from gensight.readers.voc.xml import read_annotation
from gensight.samples import Array, Instance, Sample, Size

SPECIES = ("cat", "dog")
PARTS = ("trainval", "test")
_ANIMAL, _BACKGROUND, _BORDER = 1, 2, 3
_ROW = "rows are a name, the number of its breed, 1 or 2 for cat or dog, and a number within the species"


def _read_classes(trimap: Path, size: Size, species: int) -> Array:
    """Trimap -> numbers of (background, cat, dog), the border ignored."""
    numbers = read_label_map(trimap, size)
    table = np.array([IGNORED, 1 + species, 0, IGNORED], dtype=np.uint8)
    if numbers.max(initial=0) > _BORDER:
        raise DataError(f"a trimap holds {int(numbers.max())}", where=trimap, hint="valid values are 1, 2 and 3")
    return table[numbers]


@dataclass(frozen=True)
class _Row:
    name: str
    breed: int
    species: int


class PetsReader(Reader):
    """The images of one list: one animal each, its breed, mask, and head.

    `Sample.label` is the breed, in words (`american bulldog`); its one instance is of category `cat` or `dog`, with
    `head_box` where the annotations have it and `mask` where there is a trimap: the animal without its border.
    `Sample.extras["segmentation"]` is a `ClassMap` of background, cat and dog, the border ignored. `labels` are the
    breeds in their official order.

    Args:
        root: The folder that holds `images` and `annotations`.
        part: `trainval`, `test`, or any other list in `annotations`.
        missing: Refuse (`error`) images that the list names and that are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and row that is wrong.
    """

    name = "pets"
    categories = SPECIES

    def __init__(self, root: str | Path, part: str = "trainval", *, missing: Missing = "error") -> None:
        self.root = Path(root)
        self._notes = self.root / "annotations"
        require_folder(self.root / "images", "folder of the images", "name the folder that holds it")
        source = self._notes / f"{part}.txt"
        rows = _rows(source)
        self._files = files_by_stem(self.root / "images")
        kept, self.dropped = keep_present(
            [row.name for row in rows], self._files.__contains__, "images", source, missing
        )
        there = set(kept)
        self._rows = [row for row in rows if row.name in there]
        self.labels = _breeds(rows, source)
        self._trimaps = frozenset(files_by_stem(self._notes / "trimaps", (".png",)))
        self._heads = frozenset(files_by_stem(self._notes / "xmls", (".xml",)))

    def __len__(self) -> int:
        return len(self._rows)

    def sample(self, index: int) -> Sample:
        row = self._rows[index]
        path = self.root / "images" / self._files[row.name]
        size = image_size(path)
        extras, mask = {}, None
        if row.name in self._trimaps:
            trimap = self._notes / "trimaps" / f"{row.name}.png"
            extras[SEGMENTATION] = ClassMap(partial(_read_classes, trimap, size, row.species), (BACKGROUND, *SPECIES))
            mask = LabelMask(trimap, size, _ANIMAL)
        animal = Instance(category=SPECIES[row.species], head_box=self._head(row.name), mask=mask)
        return image_sample(row.name, path, size, instances=(animal,), label=_breed(row.name), extras=extras)

    def _head(self, name: str) -> Array | None:
        if name not in self._heads:
            return None
        objects = read_annotation(self._notes / "xmls" / f"{name}.xml").objects
        return objects[0].box if objects else None

    def group(self, index: int) -> str:
        return self._rows[index].name


def _breed(name: str) -> str:
    """`american_bulldog_12` -> `american bulldog`; the first letter's case, which marks cats and dogs, is dropped."""
    return name.rpartition("_")[0].replace("_", " ").lower()


def _rows(path: Path) -> list[_Row]:
    rows = []
    seen: set[str] = set()
    for number, line in enumerate(read_list(path), start=1):
        if line.startswith("#"):
            continue
        where = f"{path}, row {number}"
        words = line.split()
        if len(words) < 3 or not all(word.isdecimal() for word in words[1:3]) or words[2] not in ("1", "2"):
            raise DataError(f"no row of a list of pets: {line}", where=where, hint=_ROW)
        if "_" not in words[0]:
            raise DataError(f"`{words[0]}` names no breed", where=where, hint="names are BREED_NUMBER")
        if words[0] in seen:
            raise DataError(f"`{words[0]}` is listed twice", where=where, hint="list every image once")
        seen.add(words[0])
        rows.append(_Row(words[0], int(words[1]), int(words[2]) - 1))
    return rows


def _breeds(rows: list[_Row], path: Path) -> tuple[str, ...]:
    """Names of the breeds by their numbers. DataError where a number has two names."""
    names: dict[int, str] = {}
    for row in rows:
        if names.setdefault(row.breed, _breed(row.name)) != _breed(row.name):
            what = f"breed {row.breed} is both `{names[row.breed]}` and `{_breed(row.name)}`"
            raise DataError(what, where=path)
    return tuple(names[number] for number in sorted(names))
