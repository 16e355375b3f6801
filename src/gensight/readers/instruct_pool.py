"""What `gensight datasets build-instruct` wrote, as samples: one per image, its truths read back from the answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.files.images import read_image
from gensight.readers.base import Reader, Summary
from gensight.readers.checking import check_samples
from gensight.readers.class_maps import BACKGROUND, IGNORED, SEGMENTATION, ClassMap
from gensight.samples import Array, Depth, Instance, Sample

FORMAT = "gensight-instruct@1"
PARTS = ("train", "validation", "test")
NEAR = 0.1  # metres, of logarithmic depth
_LEVELS = 65534


@dataclass(frozen=True)
class _Masks:
    """The class of each pixel, from one answer per class that was asked."""

    answers: tuple[tuple[int, Path], ...]  # number of the class, its answer
    size: tuple[int, int]

    def __call__(self) -> Array:
        numbers = np.zeros(self.size, dtype=np.int32)
        for number, path in self.answers:
            picture = _picture(path)
            if picture.shape != (*self.size, 4):
                raise DataError(f"an answer of {picture.shape} for an image of {self.size}", where=path)
            numbers[picture[..., 0] >= 128] = number
            numbers[picture[..., 3] < 128] = IGNORED
        return numbers


@dataclass(frozen=True)
class _Metres:
    """Depth of an answer of 16 bits; NaN where it says 0."""

    path: Path
    scale: str
    far: float

    def __call__(self) -> Depth:
        steps = _picture(self.path).astype(np.float64)
        grey = (steps - 1) / _LEVELS
        metres = grey * self.far if self.scale == "linear" else NEAR * (self.far / NEAR) ** grey
        return Depth(np.where(steps > 0, metres, np.nan).astype(np.float32), "metric")


class InstructPoolReader(Reader):
    """A part of a pooled data set in plain folders.

    Masks, boxes, depth and labels are those of the stored pictures (their size, not the original one's). What was
    looked for in an image is the vocabulary of the data set that it came from: `Sample.extras["vocabulary"]`.

    Args:
        root: The folder that was built.
        part: `train`, `validation` or `test`.

    Raises:
        DataError: No such data set or part, or tar shards, which are for clusters.
    """

    name = "instruct-pool"

    def __init__(self, root: str | Path, part: str = "train") -> None:
        self._root, self.part = Path(root), part
        described = read_json(self._root / "dataset.json")
        if not isinstance(described, dict) or described.get("format") != FORMAT or "vocabularies" not in described:
            hint = "build one, or finish it, with `gensight datasets build-instruct`"
            raise DataError("this folder holds no finished data set of instructions", where=root, hint=hint)
        self._settings: Mapping[str, Any] = described["settings"]
        self._vocabularies: Mapping[str, Mapping[str, list[str]]] = described["vocabularies"]
        self.categories = _joined(self._vocabularies, "categories")
        self.labels = _joined(self._vocabularies, "labels")
        self._folders = sorted(path.parent for path in (self._root / part).glob("*/*/pairs.json"))
        if not self._folders:
            hint = f"it has {', '.join(described.get('parts', {})) or 'none'}; shards are read by WebDataset"
            raise DataError(f"there is no part `{part}` in plain folders", where=root, hint=hint)

    def __len__(self) -> int:
        return len(self._folders)

    @property
    def folder(self) -> Path | None:
        return self._root

    def sample(self, index: int) -> Sample:
        folder = self._folders[index]
        names = read_json(folder / "pairs.json")
        records = [(folder / f"{name}.png", read_json(folder / f"{name}.json")) for name in names]
        if not records:
            raise DataError("nothing is asked of this image", where=folder)
        first = records[0][1]
        size = (int(first["size"][0]), int(first["size"][1]))
        vocabulary = self._vocabularies[folder.parent.name]
        by_task = {task: [(path, one) for path, one in records if one["task"] == task] for task in _tasks(records)}
        depth = next((path for path, _ in by_task.get("depth", ())), None)
        extras: dict[str, Any] = {"vocabulary": vocabulary}
        if "segment" in by_task:
            classes = (BACKGROUND, *vocabulary["categories"])
            told = tuple(
                (classes.index(one["classes"][0]), path)
                for path, one in by_task["segment"]
                if len(one["classes"]) == 1 and one["classes"][0] != BACKGROUND
            )
            extras[SEGMENTATION] = ClassMap(_Masks(told, size), classes)
        path = folder / "source.jpg"
        return Sample(
            key=f"{folder.parent.name}/{folder.name}",
            size=size,
            image=partial(read_image, path),
            instances=_instances(by_task["detect"], size) if "detect" in by_task else None,
            depth=None if depth is None else _Metres(depth, self._settings["depth_scale"], self._settings["far"]),
            label=next((one["label"] for _, one in by_task.get("classify", ()) if one["label"]), None),
            group=str(first["group"]),
            path=str(path),
            extras=extras,
        )

    def check(self) -> Summary:
        """Reads every image and reports what is wrong with it."""
        return check_samples(self.sample, len(self))


def _tasks(records: list[tuple[Path, Any]]) -> dict[str, None]:
    return dict.fromkeys(one["task"] for _, one in records)


def _instances(records: list[tuple[Path, Any]], size: tuple[int, int]) -> tuple[Instance, ...]:
    found = []
    for _, one in records:
        scale = np.array([size[1] / one["image_size"][1], size[0] / one["image_size"][0]] * 2)
        for box in one["boxes"] or ():
            found.append(Instance(one["classes"][0], box=np.array(box, dtype=np.float64) * scale))
    return tuple(found)


def _joined(vocabularies: Mapping[str, Mapping[str, list[str]]], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in vocabularies.values() for name in one[key]))


def _picture(path: Path) -> Array:
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"this answer cannot be read: {error}", where=path, hint="build the data set again") from error
