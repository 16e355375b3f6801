"""Data sets of `gensight datasets build-instruct` as samples: one per image, labels decoded from the answers.

Plain folders and tar shards give the same samples under the same keys. Shards are not unpacked: they are indexed by
their headers when opened, and read in place, so random access gives the same samples in the same order as folders.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image, UnidentifiedImageError

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.files.images import read_image
from gensight.files.stored import Stored, tar_members
from gensight.files.strangers import decode_json
from gensight.instructions.grammar import RESTORATIONS
from gensight.readers.base import Reader
from gensight.readers.images.image_pairs import RESTORED
from gensight.readers.shared.class_maps import BACKGROUND, SEGMENTATION, ClassMap
from gensight.readers.voc.xml import VocFlags
from gensight.samples import Array, Depth, Instance, Sample

FORMAT = "gensight-instruct@1"
PARTS = ("train", "validation", "test")
NEAR = 0.1  # metres, of logarithmic depth
LEVELS = 65534  # of depth, beside 0, which is unknown
_BUILD_AGAIN = "build the data set again"

_Box = tuple[float, float, float, float]


class _Vocabulary(msgspec.Struct):
    categories: tuple[str, ...]
    labels: tuple[str, ...]
    synonyms: dict[str, tuple[str, ...]] = {}


class _Settings(msgspec.Struct):
    depth_scale: str
    far: float


class _Described(msgspec.Struct):
    """The fields of dataset.json that the reader needs."""

    settings: _Settings
    vocabularies: dict[str, _Vocabulary]
    parts: dict[str, Any] = {}


class Crowd(msgspec.Struct, rename={"category": "class"}):
    """A box around a group, which is no target of any query."""

    category: str
    box: _Box


class Record(msgspec.Struct):
    """The fields of a pair's json file that the reader needs; boxes in pixels of the original image, whose size is
    `image_size`.

    `difficult` goes with `boxes`; `crowds` are those of the whole image.
    """

    instruction: str
    task: str
    classes: tuple[str, ...]
    group: str
    image_size: tuple[int, int]
    size: tuple[int, int]
    label: str | None = None
    boxes: tuple[_Box, ...] | None = None
    difficult: tuple[bool, ...] = ()
    crowds: tuple[Crowd, ...] = ()


def _read_classes(answers: tuple[tuple[int, Stored], ...], size: tuple[int, int], ignored: int) -> Array:
    """The class of each pixel, from one answer for each queried class, with the number of that class."""
    numbers = np.zeros(size, dtype=np.int32)
    for number, answer in answers:
        picture = read_picture(answer)
        if picture.shape != (*size, 4):
            raise DataError(f"an answer of {picture.shape} for an image of {size}", where=str(answer))
        numbers[picture[..., 0] >= 128] = number
        numbers[picture[..., 3] < 128] = ignored
    return numbers


def _read_depth(answer: Stored, scale: str, far: float) -> Depth:
    """Depth of a 16-bit answer; NaN where it is 0."""
    steps = read_picture(answer).astype(np.float64)
    grey = (steps - 1) / LEVELS
    metres = grey * far if scale == "linear" else NEAR * (far / NEAR) ** grey
    return Depth(np.where(steps > 0, metres, np.nan).astype(np.float32), "metric")


def _read_restored(answer: Stored) -> Array:
    """uint8 RGB."""
    return np.ascontiguousarray(read_picture(answer)[..., :3])


@dataclass(frozen=True)
class StoredImage:
    """Where an image and its pairs are; `pairs` are (answer, record)."""

    source: str
    name: str
    photograph: Stored
    pairs: tuple[tuple[Stored, Stored], ...]


class _Folders(Sequence[StoredImage]):
    """Images in plain folders PART/SOURCE/IMAGE/, those that have pairs."""

    def __init__(self, folder: Path) -> None:
        listed = (path for path in folder.glob("*/*/pairs.json") if path.stat().st_size > len("[]"))
        self._folders = sorted(path.parent for path in listed)

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, index: Any) -> Any:
        folder = self._folders[index]
        names = read_json(folder / "pairs.json")
        pairs = tuple((Stored(folder / f"{name}.png"), Stored(folder / f"{name}.json")) for name in names)
        return StoredImage(folder.parent.name, folder.name, Stored(folder / "source.jpg"), pairs)


_SUFFIXES = ("source.jpg", "target.png", "json")


def _in_shards(shards: Sequence[Path]) -> list[StoredImage]:
    """Images in tar shards: members SOURCE/IMAGE/PAIR.{source.jpg,target.png,json}, the photograph in each pair."""
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
    return [_shard_image(key, found[key]) for key in sorted(found)]


def _shard_image(key: tuple[str, str], pairs: Mapping[str, Mapping[str, Stored]]) -> StoredImage:
    for pair, parts in pairs.items():
        missing = [suffix for suffix in _SUFFIXES if suffix not in parts]
        if missing:
            where = str(next(iter(parts.values())))
            raise DataError(f"the pair {'/'.join(key)}/{pair} lacks {', '.join(missing)}", where=where)
    first = next(iter(pairs.values()))
    return StoredImage(*key, first["source.jpg"], tuple((one["target.png"], one["json"]) for one in pairs.values()))


def shards_of(root: Path, part: str) -> list[Path]:
    """The tar files of a part, in order."""
    return sorted(root.glob(f"{part}-[0-9]*.tar"))


def has_part(root: Path, part: str) -> bool:
    """Whether a pooled data set has this part."""
    return (root / part).is_dir() or bool(shards_of(root, part))


def stored_images(root: Path, part: str) -> Sequence[StoredImage]:
    """The images of a part that have pairs, by source and name. Raises DataError for damaged shards."""
    shards = shards_of(root, part)
    return _in_shards(shards) if shards else _Folders(root / part)


class InstructPoolReader(Reader):
    """A part of a pooled data set, in plain folders or in tar shards.

    Masks, boxes, depth and labels are those of the stored pictures (their size, not the original one's). The classes
    that were annotated in an image are the vocabulary of its source data set: `Sample.extras["vocabulary"]`.

    Args:
        root: The folder that was built.
        part: `train`, `validation` or `test`.

    Raises:
        DataError: No such data set or part, or a shard that is damaged.
    """

    name = "instruct-pool"

    def __init__(self, root: str | Path, part: str = "train") -> None:
        self.root, self.part = Path(root), part
        described = _described(self.root)
        self._settings, self._vocabularies = described.settings, described.vocabularies
        vocabularies = self._vocabularies.values()
        self.categories = joined_names(one.categories for one in vocabularies)
        self.labels = joined_names(one.labels for one in vocabularies)
        names = {*self.categories, *self.labels}
        self.synonyms = {  # without those that are another class's name
            name: tuple(other for other in others if other not in names)
            for name, others in joined_synonyms(one.synonyms for one in vocabularies).items()
            if not names.issuperset(others)
        }
        self._images = stored_images(self.root, part)
        if not self._images:
            known = [name for name in PARTS if has_part(self.root, name)]
            what = f"the part `{part}` has no pairs" if part in known else f"there is no part `{part}`"
            raise DataError(what, where=root, choices=[name for name in known if name != part])

    def __len__(self) -> int:
        return len(self._images)

    def sample(self, index: int) -> Sample:
        image = self._images[index]
        by_task: dict[str, list[tuple[Stored, Record]]] = {}
        for answer, stored in image.pairs:
            record = read_record(stored)
            by_task.setdefault(record.task, []).append((answer, record))
        first = next(iter(by_task.values()))[0][1]
        vocabulary = self._vocabulary(image)
        depth = next((answer for answer, _ in by_task.get("depth", ())), None)
        extras: dict[str, Any] = {"vocabulary": msgspec.structs.asdict(vocabulary)}
        if "segment" in by_task:
            extras[SEGMENTATION] = _class_map(by_task["segment"], vocabulary.categories, first.size)
        restored = {task: partial(_read_restored, by_task[task][0][0]) for task in RESTORATIONS if task in by_task}
        if restored:
            extras[RESTORED] = restored
        instances = None
        if "detect" in by_task:
            instances, extras["voc_flags"] = _objects([one for _, one in by_task["detect"]], first.size)
        alone = image.photograph.size is None  # a file of its own
        return Sample(
            key=f"{image.source}/{image.name}",
            size=first.size,
            image=partial(read_image, image.photograph.path) if alone else partial(_photograph, image.photograph),
            instances=instances,
            depth=None
            if depth is None
            else partial(_read_depth, depth, self._settings.depth_scale, self._settings.far),
            label=next((r.label for t in ("classify", "colour") for _, r in by_task.get(t, ()) if r.label), None),
            group=first.group,
            path=str(image.photograph.path) if alone else None,
            extras=extras,
        )

    def _vocabulary(self, image: StoredImage) -> _Vocabulary:
        if image.source not in self._vocabularies:
            raise DataError(
                f"there is no source `{image.source}`", where=self.root / "dataset.json",
                choices=self._vocabularies, hint=_BUILD_AGAIN,
            )  # fmt: skip
        return self._vocabularies[image.source]


def _described(root: Path) -> _Described:
    path = root / "dataset.json"
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT or "vocabularies" not in content:
        hint = "build one, or finish it, with `gensight datasets build-instruct`"
        raise DataError("this folder holds no finished data set of instructions", where=root, hint=hint)
    try:
        return msgspec.convert(content, _Described)
    except msgspec.ValidationError as error:
        raise DataError(
            f"this describes no data set of instructions: {error}", where=path, hint=_BUILD_AGAIN
        ) from error


def _class_map(records: Sequence[tuple[Stored, Record]], categories: Sequence[str], size: tuple[int, int]) -> ClassMap:
    """From the answers to single classes; unknown pixels have the number after the last class."""
    classes = (BACKGROUND, *categories)
    answers = []
    for answer, one in records:
        if len(one.classes) == 1 and one.classes[0] != BACKGROUND:
            if one.classes[0] not in classes:
                what = f"`{one.classes[0]}` is no category of this image's source"
                raise DataError(what, where=str(answer), hint=_BUILD_AGAIN)
            answers.append((classes.index(one.classes[0]), answer))
    return ClassMap(partial(_read_classes, tuple(answers), size, len(classes)), classes, (len(classes),))


def _objects(records: Sequence[Record], size: tuple[int, int]) -> tuple[tuple[Instance, ...], tuple[VocFlags, ...]]:
    """The objects of the queried classes, then the crowds; each with its flags."""
    found: list[Instance] = []
    difficult: list[bool] = []
    for one in records:
        if len(one.classes) != 1:  # a query of several classes: each has its own query as well
            continue
        boxes = one.boxes or ()
        found += [Instance(one.classes[0], box=_scaled(box, one, size)) for box in boxes]
        difficult += one.difficult if len(one.difficult) == len(boxes) else (False,) * len(boxes)
    crowds = records[0].crowds
    found += [Instance(one.category, box=_scaled(one.box, records[0], size), is_crowd=True) for one in crowds]
    difficult += (False,) * len(crowds)
    return tuple(found), tuple(VocFlags(difficult=one) for one in difficult)


def _scaled(box: _Box, record: Record, size: tuple[int, int]) -> Array:
    scale = np.array([size[1] / record.image_size[1], size[0] / record.image_size[0]] * 2)
    return np.array(box, dtype=np.float64) * scale


def joined_names(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All names, each once."""
    return tuple(dict.fromkeys(name for some in names for name in some))


def joined_synonyms(synonyms: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Name -> all of its synonyms, each once."""
    every = list(synonyms)
    return {name: joined_names(some.get(name, ()) for some in every) for name in joined_names(every)}


def read_record(stored: Stored) -> Record:
    """A pair's record. Raises DataError for anything else."""
    try:
        record = decode_json(stored.read(), Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"no record of a pair: {error}", where=str(stored), hint=_BUILD_AGAIN) from error
    if min(*record.size, *record.image_size) < 1:
        raise DataError(
            f"a size of {record.size}, {record.image_size} originally", where=str(stored), hint=_BUILD_AGAIN
        )
    return record


def read_picture(stored: Stored) -> Array:
    """An image or an answer as it is stored. Raises DataError where it is none."""
    try:
        with Image.open(io.BytesIO(stored.read())) as image:
            return np.asarray(image)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"this picture cannot be read: {error}", where=str(stored), hint=_BUILD_AGAIN) from error


def _photograph(stored: Stored) -> Array:
    """uint8 RGB, C-contiguous and writable."""
    return np.array(read_picture(stored))
