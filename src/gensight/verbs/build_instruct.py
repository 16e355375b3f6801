"""`gensight datasets build-instruct`: data sets of several kinds -> pairs of pictures with an instruction.

Every pair is an image, what is asked of it, and the painted answer. Official parts are kept, an image is in one part
only, absent classes are asked too (their answer is black), and answers are stored without loss:

- `target.png` is RGBA, alpha 0 where nobody knows the answer; of depth it is grey of 16 bits, 0 where unknown, else
  1 + 65534 * grey.
- Where a data set marks objects but has no labels of images, an image whose objects are of one class is of that class.
- A record (json) has the instruction and one that is held out of training, the task, the classes asked and whether they
  are there, boxes and label in pixels of the original image, and that image's size.

Plain folders: OUT/PART/SOURCE/IMAGE/{source.jpg, NN-task-class.png, NN-task-class.json}. Shards: OUT/PART-NNNNNN.tar in
the layout of WebDataset (KEY.source.jpg, KEY.target.png, KEY.json; KEY is SOURCE/IMAGE/NN-task-class). Both are read
back by `data.kind=instruct-pool`. An interrupted build goes on where it stopped.
"""

import io
import json
import shlex
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
from PIL import Image

from gensight.build.readers import build_readers
from gensight.config.loader import load_data
from gensight.drawing import contact_sheet
from gensight.encodings.painted import Painted
from gensight.encodings.painted_answers import PaintedBoxes, PaintedClass, PaintedDepth, PaintedMask
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import atomic_path, read_json, write_bytes, write_json
from gensight.files.hashing import value_hash
from gensight.files.images import write_image
from gensight.files.progress import progress
from gensight.geometry import warp_image
from gensight.instructions.grammar import TASKS, Task, fixed, rephrased
from gensight.instructions.several import several_classes
from gensight.readers.base import Reader
from gensight.readers.class_maps import BACKGROUND, class_map
from gensight.readers.listings import plain_name
from gensight.readers.one_kind import with_labels
from gensight.samples import Array, Item, Query, Sample, View
from gensight.transforms import whole_frame

_TRUTHS = ("boxes", "masks", "depth")
_MULTIPLE = 8  # sides are multiples of it, as latent models need
_SHOWN = 24  # pairs on a contact sheet
_LEVELS = 65534


@dataclass(frozen=True)
class Settings:
    """What decides the content of a pooled data set.

    Attributes:
        sources: Each a kind of data set and its keys: `pets root=PATH`.
        tasks: Of the four.
        size: Longer side of the pictures, in pixels.
        phrasing: `fixed`, one instruction per task and class, or `rephrased`.
        negatives: Absent classes asked per image and task.
        depth_scale: `log` or `linear`.
        far: Farthest depth, in metres.
        box_style: `filled` or `outlines`.
        limit: Images taken of each part of each source, evenly spaced; None: all.
        images_per_shard: 0 writes plain folders.
        seed: Draws phrases and negatives.
        several: Share of images asked for several classes at once, for each of segmentation and detection.
    """

    sources: tuple[str, ...]
    tasks: tuple[Task, ...] = TASKS
    size: int = 256
    phrasing: Literal["fixed", "rephrased"] = "rephrased"
    negatives: int = 1
    depth_scale: Literal["log", "linear"] = "log"
    far: float = 10.0
    box_style: Literal["filled", "outlines"] = "filled"
    limit: int | None = None
    images_per_shard: int = 0
    seed: int = 0
    several: float = 0.2

    @classmethod
    def checked(
        cls,
        sources: Sequence[str],
        tasks: Sequence[str],
        size: int,
        phrasing: str,
        negatives: int,
        depth_scale: str,
        box_style: str,
        limit: int | None,
        images_per_shard: int,
        seed: int,
        several: float = 0.2,
    ) -> "Settings":
        """Settings of words that somebody typed. Raises ConfigError for one that is none of the choices."""
        chosen: dict[str, Any] = {}
        for key, value, choices in (
            ("phrasing", phrasing, ("fixed", "rephrased")),
            ("depth_scale", depth_scale, ("log", "linear")),
            ("box_style", box_style, ("filled", "outlines")),
        ):
            if value not in choices:
                raise ConfigError(f"unknown value '{value}'", where=key, choices=choices)
            chosen[key] = value
        for task in tasks:
            if task not in TASKS:
                raise ConfigError(f"no task is called `{task}`", where="--tasks", choices=TASKS)
        chosen["tasks"] = tuple(tasks)
        return cls(
            tuple(sources), size=size, negatives=negatives, limit=limit, images_per_shard=images_per_shard, seed=seed,
            several=several, **chosen,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Pair:
    """One instruction and its answer; `target` is a PNG."""

    name: str
    target: bytes
    shown: Array  # uint8 RGB, for the contact sheet
    record: dict[str, Any]


def build_instruct(out: Path, settings: Settings) -> dict[str, dict[str, int]]:
    """Builds a pooled data set, or goes on with one.

    Returns:
        Part -> `images` and `pairs`.

    Raises:
        ConfigError: No source, an unknown task, or a size that is none.
        DataError: A source cannot be read, an image is in two parts, or the folder holds another data set.
    """
    _check(settings)
    counts: dict[str, dict[str, int]] = {}
    vocabularies = {}
    parts: dict[str, list[tuple[str, Reader, int]]] = {}
    for number, source in enumerate(settings.sources):
        name, readers = _open(source, number)
        vocabularies[name] = {"categories": readers["train"].categories, "labels": readers["train"].labels}
        _one_part_each(name, readers)
        for part, reader in readers.items():
            parts.setdefault(part, []).extend((name, reader, index) for index in _chosen(len(reader), settings.limit))
    _claim(out, settings)
    labels = tuple(dict.fromkeys(label for one in vocabularies.values() for label in one["labels"]))
    for part, places in parts.items():
        written = _write_shards if settings.images_per_shard else _write_folders
        counts[part] = written(out, part, places, settings, labels)
    write_json(out / "dataset.json", {**_described(settings), "vocabularies": vocabularies, "parts": counts}, indent=1)
    return counts


def _check(settings: Settings) -> None:
    if not settings.sources:
        raise ConfigError("a pooled data set needs a source", where="--from", hint="such as --from 'pets root=PATH'")
    if settings.size < _MULTIPLE or settings.size % _MULTIPLE:
        raise ConfigError(f"pictures of {settings.size} px", where="--size", hint=f"use a multiple of {_MULTIPLE}")


def _described(settings: Settings) -> dict[str, Any]:
    return {"format": "gensight-instruct@1", "settings": asdict(settings), "hash": value_hash(asdict(settings))}


def _claim(out: Path, settings: Settings) -> None:
    """Refuses a folder of something else; an interrupted build of the same settings goes on."""
    path = out / "dataset.json"
    if path.is_file():
        if read_json(path).get("hash") != value_hash(asdict(settings)):
            raise DataError("the folder holds a data set of other settings", where=out, hint="choose a new folder")
    elif out.exists() and any(out.iterdir()):
        raise DataError("this folder is not empty", where=out, hint="choose a new one with --out")
    else:
        write_json(path, _described(settings), indent=1)


def _open(source: str, number: int) -> tuple[str, dict[str, Reader]]:
    """(`00-pets`, its parts)."""
    kind, *overrides = shlex.split(source)
    splits = build_readers(load_data(kind, overrides), _TRUTHS)
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return f"{number:02d}-{kind}", {part: with_labels(reader) for part, reader in parts.items() if reader is not None}


def _one_part_each(name: str, readers: dict[str, Reader]) -> None:
    seen: dict[tuple[str | None, str], str] = {}
    for part, reader in readers.items():
        for sample in reader:
            if seen.setdefault((sample.path, sample.key), part) != part and sample.path is not None:
                what = f"an image is in two parts, {seen[(sample.path, sample.key)]} and {part}"
                raise DataError(what, where=sample.path, hint=f"correct the lists of {name}")


def _chosen(num: int, limit: int | None) -> list[int]:
    if limit is None or limit >= num:
        return list(range(num))
    return sorted({int(place) for place in np.linspace(0, num - 1, limit)})


def pairs(sample: Sample, reader: Reader, settings: Settings, labels: Sequence[str]) -> tuple[Array, list[_Pair]]:
    """(the image as stored, its instructions and answers); `labels`: of all sources, in the order of their colours."""
    view = _view(sample.size, settings.size)
    random = Random(f"{settings.seed} {sample.key}")
    encodings: dict[Task, Painted] = {
        "segment": PaintedMask(), "detect": PaintedBoxes(style=settings.box_style),
        "depth": PaintedDepth(scale=settings.depth_scale, far=settings.far),
    }  # fmt: skip
    if reader.labels:
        encodings["classify"] = PaintedClass(labels)
    found: list[_Pair] = []
    for task in settings.tasks:
        if task not in encodings:
            continue
        for classes, present in _questions(task, sample, reader, encodings[task], settings, random):
            found.append(_pair(len(found), task, classes, present, sample, reader, encodings[task], view, settings))
    return warp_image(sample.image(), view), found


def _view(size: tuple[int, int], side: int) -> View:
    """The whole image, its longer side `side`, both sides multiples of 8."""
    scale = side / max(size)
    height, width = (max(_MULTIPLE, round(length * scale / _MULTIPLE) * _MULTIPLE) for length in size)
    return whole_frame(size, (height, width))


def _questions(
    task: Task, sample: Sample, reader: Reader, encoding: Painted, settings: Settings, random: Random
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """(classes asked, whether one is there): what is there, some that isn't, and for a share several at once."""
    items = encoding.items(sample)
    if task == "depth":
        yield from (((), True) for _ in items)
        return
    if task == "classify":
        if not items or sample.label is None:
            return
        yield reader.labels, True
        yield (sample.label,), True
        absent = [name for name in reader.labels if name != sample.label]
    else:
        shown = [item.query.options[0] for item in items if item.query is not None]
        yield from (((name,), True) for name in shown)
        absent = _absent(task, sample, reader, shown)
    yield from (((name,), False) for name in random.sample(absent, min(settings.negatives, len(absent))))
    if task != "classify":
        known = [name for name in reader.categories if name in shown or name in absent]
        seed = f"{settings.seed} {sample.key} {task} several"
        together = several_classes(known, shown, settings.several, seed)
        if together is not None and len(together) <= encoding.most_classes:
            yield together, any(name in shown for name in together)


def _absent(task: Task, sample: Sample, reader: Reader, shown: list[str]) -> list[str]:
    """Classes that somebody looked for in this image and did not find."""
    if task == "segment":
        classes = class_map(sample, reader.categories)
        known = () if classes is None else classes.classes
    else:
        marked = sample.instances is not None and all(one.box is not None for one in sample.instances)
        known = reader.categories if marked else ()  # where objects have no boxes, only negatives would be asked
        shown = [*shown, *(one.category for one in sample.instances or ())]  # crowds are there too
    return [name for name in known if name not in shown and name != BACKGROUND]


def _pair(
    number: int,
    task: Task,
    classes: tuple[str, ...],
    present: bool,
    sample: Sample,
    reader: Reader,
    encoding: Painted,
    view: View,
    settings: Settings,
) -> _Pair:
    seed = Random(f"{settings.seed} {sample.key} {task} {classes}").getrandbits(32)
    told = fixed(task, classes) if settings.phrasing == "fixed" else rephrased(task, classes, seed)
    other = rephrased(task, classes, seed, reader.synonyms, part="held-out")
    painted = encoding.paint(Item((sample,), query=Query(told.text, task, classes)), view, view.model_size)
    if painted is None:
        raise DataError(f"this sample cannot answer `{told.text}`", where=sample.key)
    target, shown = _png(task, *painted)
    boxes = [one.box for one in sample.instances or () if one.box is not None and one.category in classes]
    what = "all" if task == "classify" and len(classes) > 1 else "-".join(map(plain_name, classes)) or "image"
    record = {
        "instruction": told.text, "held_out_instruction": other.text, "task": task, "classes": classes,
        "present": present, "sample": sample.key, "group": sample.group, "image_size": sample.size,
        "size": view.model_size, "label": sample.label if task == "classify" else None,
        "boxes": boxes if task == "detect" else None,
    }  # fmt: skip
    return _Pair(f"{number:02d}-{task}-{what}", target, shown, record)


def _png(task: Task, picture: Array, known: Array) -> tuple[bytes, Array]:
    """(PNG, RGB to look at)."""
    shown = np.rint(255 * np.where(known[..., None], picture, 0)).astype(np.uint8)
    if task == "depth":
        steps = np.where(known, 1 + np.rint(picture[..., 0].astype(np.float64) * _LEVELS), 0).astype(np.uint16)
        image = Image.fromarray(steps)
    else:
        image = Image.fromarray(np.dstack([shown, np.where(known, 255, 0).astype(np.uint8)]))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue(), shown


def _jpeg(picture: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _name(sample: Sample) -> str:
    return plain_name(sample.key.rpartition(".")[0] or sample.key)


Places = list[tuple[str, Reader, int]]


def _write_folders(out: Path, part: str, places: Places, settings: Settings, labels: Sequence[str]) -> dict[str, int]:
    """A folder per image; `pairs.json`, written last, says that it is whole."""
    num_pairs, shown = 0, _Sheet(len(places))
    for number, (source, reader, index) in enumerate(progress(places, len(places), part)):
        sample = reader[index]
        folder = out / part / source / _name(sample)
        done = folder / "pairs.json"
        if not done.is_file() or shown.wants(number):
            image, found = pairs(sample, reader, settings, labels)
            shown.add(number, image, found)
        if not done.is_file():
            write_bytes(folder / "source.jpg", _jpeg(image))
            for pair in found:
                write_bytes(folder / f"{pair.name}.png", pair.target)
                write_json(folder / f"{pair.name}.json", pair.record)
            write_json(done, [pair.name for pair in found])
        num_pairs += len(read_json(done))
    shown.write(out / f"contact_sheet_{part}.png")
    return {"images": len(places), "pairs": num_pairs}


def _write_shards(out: Path, part: str, places: Places, settings: Settings, labels: Sequence[str]) -> dict[str, int]:
    """Tar files of so many images each; one that is there is whole."""
    num_pairs, shown, step = 0, _Sheet(len(places)), settings.images_per_shard
    for first in progress(range(0, len(places), step), -(-len(places) // step), part, "shards"):
        path = out / f"{part}-{first // step:06d}.tar"
        if not path.is_file():
            with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
                for number in range(first, min(first + step, len(places))):
                    source, reader, index = places[number]
                    sample = reader[index]
                    image, found = pairs(sample, reader, settings, labels)
                    shown.add(number, image, found)
                    for pair in found:
                        last = pair.name.replace(".", "_")  # what follows a key's first dot is its suffix
                        _add(tar, f"{source}/{_name(sample)}/{last}", _jpeg(image), pair)
        with tarfile.open(path) as tar:
            num_pairs += sum(member.name.endswith(".json") for member in tar)
    shown.write(out / f"contact_sheet_{part}.png")
    return {"images": len(places), "pairs": num_pairs}


def _add(tar: tarfile.TarFile, key: str, image: bytes, pair: _Pair) -> None:
    record = json.dumps(pair.record, default=np.ndarray.tolist).encode()
    for suffix, data in (("source.jpg", image), ("target.png", pair.target), ("json", record)):
        member = tarfile.TarInfo(f"{key}.{suffix}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


class _Sheet:
    """Pairs of evenly spaced images, collected for one picture."""

    def __init__(self, num_images: int) -> None:
        self._wanted = {int(place) for place in np.linspace(0, max(num_images - 1, 0), _SHOWN // 2)}
        self._tiles: list[Array] = []
        self._captions: list[str] = []

    def wants(self, number: int) -> bool:
        return number in self._wanted

    def add(self, number: int, image: Array, found: Sequence[_Pair]) -> None:
        if not self.wants(number) or not found:
            return
        place = len(self._tiles)
        for pair in (found[place % len(found)], found[(place + len(found) // 2) % len(found)])[: len(found)]:
            self._tiles.append(np.concatenate([image, np.full((len(image), 4, 3), 255, np.uint8), pair.shown], axis=1))
            self._captions.append(pair.record["instruction"])

    def write(self, path: Path) -> None:
        if self._tiles:
            write_image(path, contact_sheet(self._tiles, 4, self._captions, tile=(180, 420)))
