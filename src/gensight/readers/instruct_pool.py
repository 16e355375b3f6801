"""What `gensight datasets build-instruct` wrote, as samples: one per image, its truths read back from the answers.

Plain folders and tar shards give the same samples under the same keys. Shards are not unpacked: they are indexed by
their headers when opened, and read in place, so that samples are drawn in any order, the same one as from folders.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.files.images import read_image
from gensight.files.stored import Stored, tar_members
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

    answers: tuple[tuple[int, Stored], ...]  # number of the class, its answer
    size: tuple[int, int]

    def __call__(self) -> Array:
        numbers = np.zeros(self.size, dtype=np.int32)
        for number, answer in self.answers:
            picture = _picture(answer)
            if picture.shape != (*self.size, 4):
                raise DataError(f"an answer of {picture.shape} for an image of {self.size}", where=str(answer))
            numbers[picture[..., 0] >= 128] = number
            numbers[picture[..., 3] < 128] = IGNORED
        return numbers


@dataclass(frozen=True)
class _Metres:
    """Depth of an answer of 16 bits; NaN where it says 0."""

    answer: Stored
    scale: str
    far: float

    def __call__(self) -> Depth:
        steps = _picture(self.answer).astype(np.float64)
        grey = (steps - 1) / _LEVELS
        metres = grey * self.far if self.scale == "linear" else NEAR * (self.far / NEAR) ** grey
        return Depth(np.where(steps > 0, metres, np.nan).astype(np.float32), "metric")


@dataclass(frozen=True)
class _Image:
    """Where an image and its pairs are; `pairs` are (answer, record)."""

    source: str
    name: str
    photograph: Stored
    pairs: tuple[tuple[Stored, Stored], ...]


class _Folders(Sequence[_Image]):
    """Of plain folders: PART/SOURCE/IMAGE/."""

    def __init__(self, folder: Path) -> None:
        self._folders = sorted(path.parent for path in folder.glob("*/*/pairs.json"))

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, index: Any) -> Any:
        folder = self._folders[index]
        names = read_json(folder / "pairs.json")
        pairs = tuple((Stored(folder / f"{name}.png"), Stored(folder / f"{name}.json")) for name in names)
        return _Image(folder.parent.name, folder.name, Stored(folder / "source.jpg"), pairs)


class _Shards(Sequence[_Image]):
    """Of tar shards: members SOURCE/IMAGE/PAIR.{source.jpg,target.png,json}, the photograph once for each pair."""

    def __init__(self, shards: Sequence[Path]) -> None:
        found: dict[tuple[str, str], dict[str, dict[str, Stored]]] = {}
        for shard in shards:
            for member in tar_members(shard):
                where, _, last = member.name.rpartition("/")
                source, _, image = where.partition("/")
                pair, _, suffix = last.partition(".")
                if not image or "/" in image or suffix not in _SUFFIXES:
                    hint = "was it written by `gensight datasets build-instruct`?"
                    raise DataError(f"no member of a pooled data set: {member.name}", where=shard, hint=hint)
                found.setdefault((source, image), {}).setdefault(pair, {})[suffix] = member
        self._images = [_shard_image(key, found[key]) for key in sorted(found)]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> Any:
        return self._images[index]


_SUFFIXES = ("source.jpg", "target.png", "json")


def _shard_image(key: tuple[str, str], pairs: Mapping[str, Mapping[str, Stored]]) -> _Image:
    for pair, parts in pairs.items():
        missing = [suffix for suffix in _SUFFIXES if suffix not in parts]
        if missing:
            where = str(next(iter(parts.values())))
            raise DataError(f"the pair {'/'.join(key)}/{pair} lacks {', '.join(missing)}", where=where)
    first = next(iter(pairs.values()))
    return _Image(*key, first["source.jpg"], tuple((one["target.png"], one["json"]) for one in pairs.values()))


def shards_of(root: Path, part: str) -> list[Path]:
    """The tar files of a part, in order."""
    return sorted(root.glob(f"{part}-[0-9]*.tar"))


def has_part(root: Path, part: str) -> bool:
    """Whether a pooled data set has this part."""
    return (root / part).is_dir() or bool(shards_of(root, part))


class InstructPoolReader(Reader):
    """A part of a pooled data set, in plain folders or in tar shards.

    Masks, boxes, depth and labels are those of the stored pictures (their size, not the original one's). What was
    looked for in an image is the vocabulary of the data set that it came from: `Sample.extras["vocabulary"]`.

    Args:
        root: The folder that was built.
        part: `train`, `validation` or `test`.

    Raises:
        DataError: No such data set or part, or a shard that is damaged.
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
        shards = shards_of(self._root, part)
        self._images: Sequence[_Image] = _Shards(shards) if shards else _Folders(self._root / part)
        if not self._images:
            hint = f"it has {', '.join(described.get('parts', {})) or 'none'}"
            raise DataError(f"there is no part `{part}`", where=root, hint=hint)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def folder(self) -> Path | None:
        return self._root

    def sample(self, index: int) -> Sample:
        image = self._images[index]
        key = f"{image.source}/{image.name}"
        records = [(answer, _record(told)) for answer, told in image.pairs]
        if not records:
            raise DataError("nothing is asked of this image", where=key)
        first = records[0][1]
        size = (int(first["size"][0]), int(first["size"][1]))
        vocabulary = self._vocabularies[image.source]
        by_task = {task: [pair for pair in records if pair[1]["task"] == task] for task in _tasks(records)}
        depth = next((answer for answer, _ in by_task.get("depth", ())), None)
        extras: dict[str, Any] = {"vocabulary": vocabulary}
        if "segment" in by_task:
            classes = (BACKGROUND, *vocabulary["categories"])
            told = tuple(
                (classes.index(one["classes"][0]), answer)
                for answer, one in by_task["segment"]
                if len(one["classes"]) == 1 and one["classes"][0] != BACKGROUND
            )
            extras[SEGMENTATION] = ClassMap(_Masks(told, size), classes)
        alone = image.photograph.size is None  # a file of its own
        path = str(image.photograph.path) if alone else None
        return Sample(
            key=key,
            size=size,
            image=partial(read_image, image.photograph.path) if alone else partial(_photograph, image.photograph),
            instances=_instances(by_task["detect"], size) if "detect" in by_task else None,
            depth=None if depth is None else _Metres(depth, self._settings["depth_scale"], self._settings["far"]),
            label=next((one["label"] for _, one in by_task.get("classify", ()) if one["label"]), None),
            group=str(first["group"]),
            path=path,
            extras=extras,
        )

    def check(self) -> Summary:
        """Reads every image and reports what is wrong with it."""
        return check_samples(self.sample, len(self))


def _tasks(records: list[tuple[Stored, Any]]) -> dict[str, None]:
    return dict.fromkeys(one["task"] for _, one in records)


def _instances(records: list[tuple[Stored, Any]], size: tuple[int, int]) -> tuple[Instance, ...]:
    found = []
    for _, one in records:
        if len(one["classes"]) != 1:  # asked of several classes at once: each is asked alone as well
            continue
        scale = np.array([size[1] / one["image_size"][1], size[0] / one["image_size"][0]] * 2)
        for box in one["boxes"] or ():
            found.append(Instance(one["classes"][0], box=np.array(box, dtype=np.float64) * scale))
    return tuple(found)


def _joined(vocabularies: Mapping[str, Mapping[str, list[str]]], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in vocabularies.values() for name in one[key]))


def _record(told: Stored) -> Any:
    try:
        return json.loads(told.read())
    except ValueError as error:
        raise DataError(f"not valid JSON: {error}", where=str(told), hint="build the data set again") from error


def _picture(answer: Stored) -> Array:
    try:
        with Image.open(io.BytesIO(answer.read())) as image:
            return np.asarray(image)
    except (OSError, UnidentifiedImageError) as error:
        hint = "build the data set again"
        raise DataError(f"this picture cannot be read: {error}", where=str(answer), hint=hint) from error


def _photograph(stored: Stored) -> Array:
    """uint8 RGB, C-contiguous and writable."""
    return np.array(_picture(stored))
