"""`gensight datasets build-instruct`: data sets of several kinds -> pairs of pictures with an instruction.

Every pair is an image, what is asked of it, and the painted answer. Official parts are kept, an image is in one part
only, absent classes are asked too (their answer is black), and answers are stored without loss:

- `target.png` is RGBA, alpha 0 where nobody knows the answer; of depth it is grey of 16 bits, 0 where unknown, else
  1 + 65534 * grey.
- Where a data set marks objects but has no labels of images, an image whose objects are of one class is of that class.
- A record (json) has the instruction and one that is held out of training, the task, the classes asked and whether they
  are there, boxes in pixels of the original image (difficult ones and crowds marked), the label, and that image's size.
- Images of which nothing is asked are left out.

Plain folders: OUT/PART/SOURCE/IMAGE/{source.jpg, NN-task-class.png, NN-task-class.json}. Shards: OUT/PART-NNNNNN.tar in
the layout of WebDataset (KEY.source.jpg, KEY.target.png, KEY.json; KEY is SOURCE/IMAGE/NN-task-class). Both are read
back by `data.kind=instruct-pool`. An interrupted build goes on where it stopped.
"""

import io
import json
import math
import re
import shlex
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from gensight.build.readers import build_readers
from gensight.config.loader import load_data
from gensight.drawing import contact_sheet
from gensight.encodings.painted import NUM_COLOURS, Painted
from gensight.encodings.painted_answers import PaintedBoxes, PaintedClass, PaintedDepth, PaintedMask
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import atomic_path, read_json, write_bytes, write_json
from gensight.files.hashing import value_hash
from gensight.files.images import IMAGE_SUFFIXES, write_image
from gensight.files.progress import progress
from gensight.geometry import warp_image
from gensight.instructions.grammar import Task, fixed, rephrased
from gensight.instructions.several import several_classes
from gensight.readers.base import Reader
from gensight.readers.class_maps import BACKGROUND, class_map
from gensight.readers.instruct_pool import FORMAT, LEVELS, NEAR, StoredImage, read_picture, read_record, stored_images
from gensight.readers.listings import plain_name
from gensight.readers.one_kind import with_labels
from gensight.samples import Array, Item, Query, Sample, View
from gensight.transforms import whole_frame

_TRUTHS = ("boxes", "masks", "depth")
_MULTIPLE = 8  # sides are multiples of it, as latent models need
_SHOWN = 12  # images on a contact sheet
TASKS: tuple[Task, ...] = ("segment", "detect", "depth", "classify")  # that a pool holds
Region = Literal["box", "head"]


@dataclass(frozen=True)
class Settings:
    """What decides the content of a pooled data set.

    Attributes:
        sources: Each a kind of data set and its keys: `pets root=PATH`.
        tasks: Of `TASKS`.
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
        box_region: What `detect` asks for: `box`, whole objects; `head`, their heads; `auto`: heads, of the sources
            that mark no whole objects.
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
    box_region: Literal["box", "head", "auto"] = "box"

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
        far: float = 10.0,
        box_region: str = "box",
    ) -> "Settings":
        """Settings of words that somebody typed. Raises ConfigError for one that is none of the choices."""
        chosen: dict[str, Any] = {}
        for key, value, choices in (
            ("phrasing", phrasing, ("fixed", "rephrased")),
            ("depth_scale", depth_scale, ("log", "linear")),
            ("box_style", box_style, ("filled", "outlines")),
            ("box_region", box_region, ("box", "head", "auto")),
        ):
            if value not in choices:
                raise ConfigError(f"unknown value '{value}'", where=key, choices=choices)
            chosen[key] = value
        for task in tasks:
            if task not in TASKS:
                raise ConfigError(f"no task is called `{task}`", where="--tasks", choices=TASKS)
        chosen["tasks"] = tuple(dict.fromkeys(tasks))
        return cls(
            tuple(sources), size=size, negatives=negatives, limit=limit, images_per_shard=images_per_shard, seed=seed,
            several=several, far=far, **chosen,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Pair:
    """One instruction and its answer; `target` is a PNG."""

    name: str
    target: bytes
    record: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A data set that is pooled, over all its parts.

    Attributes:
        name: `00-pets`.
        categories: Classes of pixels and objects.
        labels: Classes of whole images.
        synonyms: Other names of either.
        region: Whether `detect` asks for objects or for their heads.
    """

    name: str
    categories: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    region: Region = "box"

    @property
    def vocabulary(self) -> dict[str, Any]:
        """As dataset.json has it."""
        return {"categories": self.categories, "labels": self.labels, "synonyms": self.synonyms}


@dataclass(frozen=True)
class Built:
    """What a build made.

    Attributes:
        parts: Part -> `images`, `pairs`, and `left_out`, images of which nothing is asked.
        heads: Names of the sources whose heads `detect` asks for.
    """

    parts: dict[str, dict[str, int]]
    heads: tuple[str, ...] = ()


class _Place(NamedTuple):
    """An image that is pooled: `name` is its own among those of its source and part."""

    source: Source
    reader: Reader
    number: int
    name: str


Places = list[_Place]


def build_instruct(out: Path, settings: Settings) -> Built:
    """Builds a pooled data set, or goes on with one.

    Raises:
        ConfigError: No source, an unknown task, a size that is none, more labels than colours, `out` is a file.
        DataError: A source cannot be read, an image is in two parts, nothing is asked of a part, or the folder holds
            another data set.
    """
    _check(out, settings)
    sources: list[Source] = []
    parts: dict[str, Places] = {}
    seen: dict[tuple[str, str], str] = {}
    for number, text in enumerate(settings.sources):
        source, keys, readers = _open(text, number, settings.box_region)
        _one_part_each(source.name, keys, seen)
        sources.append(source)
        for part, reader in readers.items():
            names = _names([key for _, key in keys[part]], f"{source.name}, {part}")
            chosen = _chosen(len(reader), settings.limit)
            parts.setdefault(part, []).extend(_Place(source, reader, index, names[index]) for index in chosen)
    encodings = _encodings(settings, _labels(sources, settings))
    for part, places in parts.items():
        _require_questions(part, places, settings, encodings)
    _claim(out, settings)
    counts = {part: _written(out, part, places, settings, encodings) for part, places in parts.items()}
    vocabularies = {source.name: source.vocabulary for source in sources}
    write_json(out / "dataset.json", {**_described(settings), "vocabularies": vocabularies, "parts": counts}, indent=1)
    return Built(counts, tuple(source.name for source in sources if source.region == "head"))


def _check(out: Path, settings: Settings) -> None:
    if not settings.sources:
        raise ConfigError("a pooled data set needs a source", where="--from", hint="such as --from 'pets root=PATH'")
    if not settings.tasks:
        raise ConfigError("nothing is asked", where="--tasks", choices=TASKS)
    if settings.size < _MULTIPLE or settings.size % _MULTIPLE:
        raise ConfigError(f"pictures of {settings.size} px", where="--size", hint=f"use a multiple of {_MULTIPLE}")
    if not (math.isfinite(settings.far) and settings.far > NEAR):
        raise ConfigError(f"a farthest depth of {settings.far:g} m", where="--far", hint=f"more than {NEAR} m is meant")
    for path in (out, *out.parents):
        if path.is_file():
            raise ConfigError("this is a file, not a folder", where=path, hint="name a new folder with --out")


def _described(settings: Settings) -> dict[str, Any]:
    return {"format": FORMAT, "settings": asdict(settings), "hash": _hash(settings)}


def _hash(settings: Settings) -> str:
    """Of what decides the content; the same as before there were regions, where whole boxes are asked for."""
    told = asdict(settings)
    if settings.box_region == "box":
        del told["box_region"]
    return value_hash(told)


def _claim(out: Path, settings: Settings) -> None:
    """Refuses a folder of something else; an interrupted build of the same settings goes on."""
    path = out / "dataset.json"
    if path.is_file():
        known = read_json(path)
        if not isinstance(known, dict) or known.get("hash") != _hash(settings):
            raise DataError("the folder holds a data set of other settings", where=out, hint="choose a new folder")
    elif out.exists() and any(out.iterdir()):
        raise DataError("this folder is not empty", where=out, hint="choose a new one with --out")
    else:
        write_json(path, _described(settings), indent=1)


Keys = dict[str, list[tuple[str | None, str]]]  # part -> (path, key) of its images


def _open(text: str, number: int, region: Literal["box", "head", "auto"]) -> tuple[Source, Keys, dict[str, Reader]]:
    """The source, its images and its readers, by part."""
    kind, readers = _readers(text)
    keys: Keys = {part: [] for part in readers}
    whole = heads = False
    for part, reader in readers.items():
        for sample in reader:
            keys[part].append((sample.path, sample.key))
            whole = whole or any(one.box is not None for one in sample.instances or ())
            heads = heads or any(one.head_box is not None for one in sample.instances or ())
    if region == "auto":
        region = "head" if heads and not whole else "box"
    source = Source(
        f"{number:02d}-{kind}",
        _joined(reader.categories for reader in readers.values()),
        _joined(reader.labels for reader in readers.values()),
        _joined_synonyms(reader.synonyms for reader in readers.values()),
        region,
    )
    return source, keys, readers


def _readers(text: str) -> tuple[str, dict[str, Reader]]:
    """(kind, readers by part) of a data set as `--from` names it. Raises ConfigError for what names none."""
    hint = "write a kind and its keys: 'pets root=PATH'"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"`{text}` cannot be read: {error}", where="--from", hint=hint) from error
    if not words:
        raise ConfigError("a data set without a name", where="--from", hint=hint)
    splits = build_readers(load_data(words[0], words[1:]), _TRUTHS)
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return words[0], {part: with_labels(reader) for part, reader in parts.items() if reader is not None}


def _joined(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _joined_synonyms(synonyms: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for some in synonyms:
        for name, others in some.items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *others)))
    return found


def _labels(sources: Sequence[Source], settings: Settings) -> tuple[str, ...]:
    """Of all sources, in the order of their colours. ConfigError for more than there are colours."""
    labels = _joined(source.labels for source in sources)
    if "classify" in settings.tasks and len(labels) > NUM_COLOURS:
        told = ", ".join(f"{len(source.labels)} of {source.name}" for source in sources if source.labels)
        raise ConfigError(
            f"colours tell {NUM_COLOURS} classes of images apart, but there are {len(labels)}: {told}",
            where="--from", hint="leave `classify` out of --tasks, or leave out a data set",
        )  # fmt: skip
    return labels


def _one_part_each(name: str, keys: Keys, seen: dict[tuple[str, str], str]) -> None:
    """Refuses an image on disk that is in two parts, of this source or of another one."""
    for part, images in keys.items():
        for path, key in images:
            if path is not None and seen.setdefault((path, key), part) != part:
                what = f"an image is in two parts, {seen[(path, key)]} and {part}"
                raise DataError(what, where=path, hint=f"correct the lists of {name}")


_LONGEST = 200  # characters of a file name; many disks keep 255 bytes
_SUFFIX = re.compile("|".join(re.escape(suffix) + "$" for suffix in sorted(IMAGE_SUFFIXES)), re.IGNORECASE)


def _names(keys: Sequence[str], where: str) -> list[str]:
    """Keys as file names without suffix; those that would share one, or be too long, end with a hash of the key.

    Raises:
        DataError: Two images have one key.
    """
    plain = [plain_name(_SUFFIX.sub("", key)) for key in keys]
    times = Counter(name.lower() for name in plain)  # some disks take upper case for lower case
    names = [
        name
        if times[name.lower()] == 1 and len(name) <= _LONGEST
        else f"{name[: _LONGEST - 11]}-{value_hash(key)[:10]}"
        for name, key in zip(plain, keys, strict=True)
    ]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice or len({name.lower() for name in names}) < len(names):
        raise DataError("two images have the same key", where=f"{where}: {', '.join(twice[:1])}", hint="rename one")
    return names


def _chosen(num: int, limit: int | None) -> list[int]:
    if limit is None or limit >= num:
        return list(range(num))
    return sorted({int(place) for place in np.linspace(0, num - 1, limit)})


def _encodings(settings: Settings, labels: Sequence[str]) -> dict[Task, Painted]:
    """Of the tasks that are asked; `labels`: of all sources, in the order of their colours."""
    known: dict[Task, Painted] = {
        "segment": PaintedMask(), "detect": PaintedBoxes(style=settings.box_style),
        "depth": PaintedDepth(scale=settings.depth_scale, near=NEAR, far=settings.far),
    }  # fmt: skip
    if labels and "classify" in settings.tasks:
        known["classify"] = PaintedClass(labels)
    return {task: known[task] for task in settings.tasks if task in known}


def _require_questions(part: str, places: Places, settings: Settings, encodings: Mapping[Task, Painted]) -> None:
    """Raises DataError where nothing is asked of a part; the first image that is asked something ends the search."""
    for place in places:
        sample = _with_region(place.reader[place.number], place.source.region)
        if any(True for _ in _asked(sample, place.source, settings, encodings)):
            return
    names = ", ".join(dict.fromkeys(place.source.name for place in places))
    without = {"test": ", or build without it: test=null", "validation": ", or build without it: validation_share=0"}
    raise DataError(
        f"nothing is asked of the part `{part}`: no image of it is labelled for {', '.join(settings.tasks)}",
        where=names, hint=f"ask for other tasks{without.get(part, '')}",
    )  # fmt: skip


def _with_region(sample: Sample, region: Region) -> Sample:
    """The sample, whose boxes are those of heads where these are meant."""
    if region == "box" or sample.instances is None:
        return sample
    return replace(sample, instances=tuple(replace(one, box=one.head_box) for one in sample.instances))


_Question = tuple[Task, tuple[str, ...], bool]  # the task, the classes asked, and whether one of them is there


def _asked(
    sample: Sample, source: Source, settings: Settings, encodings: Mapping[Task, Painted]
) -> Iterator[_Question]:
    random = Random(f"{settings.seed} {sample.key}")
    for task, encoding in encodings.items():
        for classes, present in _questions(task, sample, source, encoding, settings, random):
            yield task, classes, present


def pairs(
    sample: Sample, source: Source, settings: Settings, encodings: Mapping[Task, Painted]
) -> tuple[View, list[_Pair]]:
    """(how the image is stored, its instructions and answers)."""
    view = _view(sample.size, settings.size)
    sample = _with_region(sample, source.region)
    return view, [
        _pair(number, question, sample, source, encodings[question[0]], view, settings)
        for number, question in enumerate(_asked(sample, source, settings, encodings))
    ]


def _view(size: tuple[int, int], side: int) -> View:
    """The whole image, its longer side `side`, both sides multiples of 8."""
    scale = side / max(size)
    height, width = (max(_MULTIPLE, round(length * scale / _MULTIPLE) * _MULTIPLE) for length in size)
    return whole_frame(size, (height, width))


def _questions(
    task: Task, sample: Sample, source: Source, encoding: Painted, settings: Settings, random: Random
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """(classes asked, whether one is there): what is there, some that isn't, and for a share several at once."""
    items = encoding.items(sample)
    if task == "depth":
        yield from (((), True) for _ in items)
        return
    if task == "classify":
        if sample.label is None or sample.label not in source.labels:
            return
        yield source.labels, True
        yield (sample.label,), True
        absent = [name for name in source.labels if name != sample.label]
    else:
        shown = [item.query.options[0] for item in items if item.query is not None]
        yield from (((name,), True) for name in shown)
        absent = _absent(task, sample, source.categories, shown)
    yield from (((name,), False) for name in random.sample(absent, min(settings.negatives, len(absent))))
    if task != "classify":
        known = [name for name in source.categories if name in shown or name in absent]
        seed = f"{settings.seed} {sample.key} {task} several"
        together = several_classes(known, shown, settings.several, seed)
        if together is not None and len(together) <= encoding.most_classes:
            yield together, any(name in shown for name in together)


def _absent(task: Task, sample: Sample, categories: Sequence[str], shown: list[str]) -> list[str]:
    """Classes that somebody looked for in this image and did not find."""
    if task == "segment":
        classes = class_map(sample, categories)
        known: Sequence[str] = () if classes is None else classes.classes
    else:
        marked = sample.instances is not None and all(one.box is not None for one in sample.instances)
        known = categories if marked else ()  # where objects have no boxes, only negatives would be asked
        shown = [*shown, *(one.category for one in sample.instances or ())]  # crowds are there too
    return [name for name in known if name not in shown and name != BACKGROUND]


def _pair(
    number: int, question: _Question, sample: Sample, source: Source, encoding: Painted, view: View, settings: Settings
) -> _Pair:
    task, classes, present = question
    seed = Random(f"{settings.seed} {sample.key} {task} {classes}").getrandbits(32)
    told = fixed(task, classes) if settings.phrasing == "fixed" else rephrased(task, classes, seed)
    other = rephrased(task, classes, seed, source.synonyms, part="held-out")
    painted = encoding.paint(Item((sample,), query=Query(told.text, task, classes)), view, view.model_size)
    if painted is None:
        raise DataError(f"this sample cannot answer `{told.text}`", where=sample.key)
    what = "all" if task == "classify" and len(classes) > 1 else "-".join(map(plain_name, classes)) or "image"
    record = {
        "instruction": told.text, "held_out_instruction": other.text, "task": task, "classes": classes,
        "present": present, "sample": sample.key, "group": sample.group, "image_size": sample.size,
        "size": view.model_size, "label": sample.label if task == "classify" else None,
        **(_boxes(sample, classes) if task == "detect" else {"boxes": None}),
    }  # fmt: skip
    return _Pair(f"{number:02d}-{task}-{what}", _png(task, *painted), record)


def _boxes(sample: Sample, classes: Sequence[str]) -> dict[str, Any]:
    """Boxes of the classes, which of them are difficult, and the image's crowds, which nobody is asked for."""
    instances = sample.instances or ()
    flags = sample.extras.get("voc_flags") or (None,) * len(instances)
    boxes, difficult, crowds = [], [], []
    for one, flag in zip(instances, flags, strict=True):
        if one.box is None:
            continue
        if one.is_crowd:
            crowds.append({"class": one.category, "box": one.box})
        elif one.category in classes:
            boxes.append(one.box)
            difficult.append(bool(getattr(flag, "difficult", False)))
    return {"boxes": boxes, "difficult": difficult, "crowds": crowds}


def _png(task: Task, picture: Array, known: Array) -> bytes:
    if task == "depth":
        steps = np.where(known, 1 + np.rint(picture[..., 0].astype(np.float64) * LEVELS), 0).astype(np.uint16)
        image = Image.fromarray(steps)
    else:
        colours = np.rint(255 * np.where(known[..., None], picture, 0)).astype(np.uint8)
        image = Image.fromarray(np.dstack([colours, np.where(known, 255, 0).astype(np.uint8)]))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _jpeg(picture: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _written(
    out: Path, part: str, places: Places, settings: Settings, encodings: Mapping[Task, Painted]
) -> dict[str, int]:
    """Writes what is not there yet of a part, and its contact sheet; counts what is there then."""
    write = _write_shards if settings.images_per_shard else _write_folders
    write(out, part, places, settings, encodings)
    images = stored_images(out, part)
    expected = {(place.source.name, place.name) for place in places}
    for image in images:
        if (image.source, image.name) not in expected:
            hint = "an earlier version wrote it under another name: build into a new folder"
            raise DataError(f"`{image.source}/{image.name}` is no image of this build", where=out / part, hint=hint)
    _write_sheet(out / f"contact_sheet_{part}.png", images)
    num_pairs = sum(len(image.pairs) for image in images)
    return {"images": len(images), "pairs": num_pairs, "left_out": len(places) - len(images)}


def _write_folders(out: Path, part: str, places: Places, settings: Settings, encodings: Mapping[Task, Painted]) -> None:
    """A folder per image; `pairs.json`, written last, says that it is whole, and is all where nothing is asked."""
    for source, reader, index, name in progress(places, len(places), part):
        folder = out / part / source.name / name
        done = folder / "pairs.json"
        if done.is_file():
            continue
        sample = reader[index]
        view, found = pairs(sample, source, settings, encodings)
        if found:
            write_bytes(folder / "source.jpg", _jpeg(warp_image(sample.image(), view)))
        for pair in found:
            write_bytes(folder / f"{pair.name}.png", pair.target)
            write_json(folder / f"{pair.name}.json", pair.record)
        write_json(done, [pair.name for pair in found])


def _write_shards(out: Path, part: str, places: Places, settings: Settings, encodings: Mapping[Task, Painted]) -> None:
    """Tar files of so many images each; one that is there is whole."""
    step = settings.images_per_shard
    for first in progress(range(0, len(places), step), -(-len(places) // step), part, "shards"):
        path = out / f"{part}-{first // step:06d}.tar"
        if path.is_file():
            continue
        with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
            for source, reader, index, name in places[first : first + step]:
                sample = reader[index]
                view, found = pairs(sample, source, settings, encodings)
                image = _jpeg(warp_image(sample.image(), view)) if found else b""
                for pair in found:
                    last = pair.name.replace(".", "_")  # what follows a key's first dot is its suffix
                    _add(tar, f"{source.name}/{name}/{last}", image, pair)


def _add(tar: tarfile.TarFile, key: str, image: bytes, pair: _Pair) -> None:
    record = json.dumps(pair.record, default=np.ndarray.tolist).encode()
    for suffix, data in (("source.jpg", image), ("target.png", pair.target), ("json", record)):
        member = tarfile.TarInfo(f"{key}.{suffix}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _write_sheet(path: Path, images: Sequence[StoredImage]) -> None:
    """Two pairs each of evenly spaced images, as they are stored."""
    tiles, captions = [], []
    for place, index in enumerate(_chosen(len(images), _SHOWN)):
        image = images[index]
        photograph = read_picture(image.photograph)
        gap = np.full((len(photograph), 4, 3), 255, np.uint8)
        count = len(image.pairs)
        for answer, told in (image.pairs[place % count], image.pairs[(place + count // 2) % count])[:count]:
            tiles.append(np.concatenate([photograph, gap, _colours(read_picture(answer))], axis=1))
            captions.append(read_record(told).instruction)
    write_image(path, contact_sheet(tiles, 4, captions, tile=(180, 420)))


def _colours(answer: Array) -> Array:
    """uint8 RGB of a stored answer, black where it says nothing."""
    if answer.ndim == 2:
        grey = np.rint(255 * np.maximum(answer.astype(np.float64) - 1, 0) / LEVELS).astype(np.uint8)
        return np.dstack([grey, grey, grey])
    return np.where(answer[..., 3:] > 0, answer[..., :3], 0).astype(np.uint8)
