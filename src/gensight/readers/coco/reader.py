"""COCO json: keypoints, boxes, masks and crowds of several subjects per image.

COCO's keypoints have 0 at the centre of the first pixel, so 0.5 is added; the edges of its boxes and polygons are
continuous already. Its flag v: 0 unlabelled, 1 occluded, 2 visible. Labels belong to the upright image.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from gensight.errors import DataError, did_you_mean
from gensight.files.images import image_size
from gensight.readers.base import Reader
from gensight.readers.coco.index import Category, CocoIndex, open_index
from gensight.readers.coco.rle import decode_mask
from gensight.readers.shared.listings import Missing, find_files, image_sample, keep_present, require_folder
from gensight.samples import Array, Instance, Keypoints, Sample, Size, Visibility
from gensight.skeletons import NAMED, Skeleton

OFFSET = 0.5
# COCO's flag -> Visibility
_VISIBILITY = np.array([Visibility.UNLABELLED, Visibility.OCCLUDED, Visibility.VISIBLE], dtype=np.int8)


class CocoReader(Reader):
    """The images of a COCO file and their annotations of some categories; `person_keypoints_*` and `instances_*`.

    Every image is a sample, also those without an annotation (`instances` is then empty). Keys are file names, as on
    the disk; where the json has them in another case, form of accents or folder, see `find_files`. The
    skeleton is the named one whose keypoints the category has, or made from its `keypoints` and `skeleton`. Opening a
    large file for the first time takes seconds, later times much less: see `coco_index`.

    Args:
        images: Folder of the images.
        annotations: The json file.
        categories: Names of the categories to read; None reads all.
        missing: Refuse (`error`) images that are not in the folder, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and the entry that is wrong.
    """

    name = "coco"

    def __init__(
        self,
        images: str | Path,
        annotations: str | Path,
        categories: Sequence[str] | None = ("person",),
        *,
        missing: Missing = "error",
    ) -> None:
        self.images = Path(images)
        self.annotations = Path(annotations)
        self._index = open_index(self.annotations)
        self._chosen = _choose(self._index, categories, self.annotations)
        self.categories = tuple(self._index.categories[index].name for index in self._chosen)
        self._skeletons = [_skeleton(category) for category in self._index.categories]
        self.skeleton = self._common_skeleton()
        require_folder(self.images, "image folder")
        names = self._index.file_names()
        files = find_files(names, self.images)
        _, self.dropped = keep_present(names, files.__contains__, "images", self.annotations, missing)
        self._images = np.flatnonzero([name in files for name in names])
        self._files = [files[names[image]] for image in self._images]
        # Annotations of the chosen categories, and where each image's begin.
        columns = self._index.columns
        self._rows = np.flatnonzero(np.isin(columns["category"], self._chosen))
        self._first = np.searchsorted(columns["image"][self._rows], np.arange(self._index.num_images + 1))

    def __len__(self) -> int:
        return len(self._images)

    def sample(self, index: int) -> Sample:
        image = int(self._images[index])
        columns = self._index.columns
        name = self._files[index]
        height, width = (int(side) for side in columns["image_size"][image])
        if not height:
            height, width = image_size(self.images / name)
        rows = self._rows[self._first[image] : self._first[image + 1]]
        instances = tuple(self._instance(int(row), (height, width)) for row in rows)
        return image_sample(name, self.images / name, (height, width), self.annotations, instances=instances)

    def _instance(self, row: int, size: Size) -> Instance:
        columns = self._index.columns
        category = int(columns["category"][row])
        box, area = columns["box"][row], float(columns["area"][row])
        start, stop = int(columns["text_start"][row]), int(columns["text_stop"][row])
        return Instance(
            category=self._index.categories[category].name,
            box=None if np.isnan(box[0]) else np.array(box),
            keypoints=self._keypoints(row, category),
            mask=partial(read_segmentation, self.annotations, start, stop, size) if stop > start else None,
            area=None if np.isnan(area) else area,
            is_crowd=bool(columns["crowd"][row]),
            id=int(columns["id"][row]),
        )

    def _keypoints(self, row: int, category: int) -> Keypoints | None:
        columns = self._index.columns
        start, stop = columns["point_start"][row], columns["point_start"][row + 1]
        skeleton = self._skeletons[category]
        if start == stop or skeleton is None:
            return None
        visibility = _VISIBILITY[columns["flags"][start:stop]]
        return Keypoints(
            skeleton, columns["points"][start:stop] + OFFSET, visibility, np.ones(stop - start, np.float32)
        )

    @property
    def groups(self) -> list[str]:
        return list(self._files)

    def group(self, index: int) -> str:
        return self._files[index]

    @property
    def image_ids(self) -> dict[str, int]:
        """Sample key -> the file's image id, which entries of a COCO results file name."""
        ids = self._index.columns["image_id"][self._images].tolist()
        return dict(zip(self.groups, ids, strict=True))

    @property
    def category_ids(self) -> dict[str, int]:
        """Name of each chosen category -> the file's category id."""
        return {self._index.categories[place].name: self._index.categories[place].id for place in self._chosen}

    @property
    def folder(self) -> Path:
        return self.images

    def _common_skeleton(self) -> Skeleton | None:
        """The chosen categories' skeleton; those without keypoints don't count."""
        found = {self._skeletons[index]: self.categories[i] for i, index in enumerate(self._chosen)}
        found.pop(None, None)
        if len({skeleton.keypoints for skeleton in found if skeleton is not None}) > 1:
            raise DataError(
                "the categories have different keypoints", where=self.annotations, choices=found.values(),
                hint="choose categories with the same keypoints",
            )  # fmt: skip
        return next(iter(found), None)


def read_segmentation(path: Path, start: int, stop: int, size: Size) -> Array:
    """bool (height, width): an annotation's mask, from the place of its `segmentation` in the json file, in bytes.

    Raises:
        DataError: It is no mask of this size.
    """
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(stop - start)
    try:
        return decode_mask(json.loads(text), size)
    except (ValueError, KeyError, TypeError) as error:
        where = f"{path}, bytes {start} to {stop}"
        hint = "if the file changed while it was open, open it again"
        raise DataError(f"not a segmentation: {error}", where=where, hint=hint) from error


def _choose(index: CocoIndex, names: Sequence[str] | None, source: Path) -> list[int]:
    known = [category.name for category in index.categories]
    if names is None:
        return list(range(len(known)))
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise DataError(f"there is no category `{name}`", where=source, choices=known, hint=hint)
    return [place for place, name in enumerate(known) if name in names]


def _skeleton(category: Category) -> Skeleton | None:
    if not category.keypoints:
        return None
    for skeleton in NAMED.values():
        if skeleton.keypoints == category.keypoints:
            return skeleton
    return Skeleton(category.name, category.keypoints, category.limbs)
