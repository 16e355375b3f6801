"""`gensight datasets build-instruct`: data sets of several kinds -> pairs of pictures with an instruction.

Every pair is an image, an instruction, and the painted answer. Official parts are kept, an image is in one part
only, absent classes are queried too (their answer is black), and answers are stored without loss:

- `target.png` is RGBA, alpha 0 where the answer is unknown; of depth it is grey of 16 bits, 0 where unknown, else
  1 + 65534 * grey.
- Where a data set marks objects but has no labels of images, an image whose objects are of one class is of that class.
- A record (json) has the instruction and one that is held out of training, the task, the classes queried and whether
  they are there, boxes in pixels of the original image (difficult ones and crowds marked), the label, and its size.
- Images that no task applies to are left out.

Plain folders: OUT/PART/SOURCE/IMAGE/{source.jpg, NN-task-class.png, NN-task-class.json}. Shards: OUT/PART-NNNNNN.tar in
the layout of WebDataset (KEY.source.jpg, KEY.target.png, KEY.json; KEY is SOURCE/IMAGE/NN-task-class). Both are read
back by `data.kind=instruct-pool`. An interrupted build is resumed.
"""

import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gensight.assembly.readers import build_readers
from gensight.config.loading.loader import load_data
from gensight.encodings.painted.base import NUM_CLASS_COLOURS, Painted
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import bulk_writes, read_json, write_json
from gensight.files.hashing import value_hash
from gensight.files.images import IMAGE_SUFFIXES
from gensight.instructions.grammar import Task
from gensight.readers.base import Reader
from gensight.readers.instruct_pool.reader import FORMAT, NEAR, joined_names, joined_synonyms
from gensight.readers.shared.listings import plain_name
from gensight.readers.shared.single_annotation import with_labels
from gensight.verbs.data.pool_files import PooledImage, PooledImages, evenly, write_part
from gensight.verbs.data.pool_pairs import (
    MULTIPLE,
    TASKS,
    PooledSource,
    Settings,
    encodings_of,
    queries_of,
    with_region,
)

_TRUTHS = ("boxes", "masks", "depth")


@dataclass(frozen=True)
class Built:
    """What a build made.

    Attributes:
        parts: Part -> `images`, `pairs`, and `left_out`, images that no task applies to.
        heads: Names of the sources whose heads are the targets of `detect`.
    """

    parts: dict[str, dict[str, int]]
    heads: tuple[str, ...] = ()


def build_instruct(out: Path, settings: Settings) -> Built:
    """Builds a pooled data set, or resumes an interrupted build.

    Raises:
        ConfigError: No source, an unknown task, a size that is none, more labels than colours, `out` is a file.
        DataError: A source cannot be read, an image is in two parts, a part has no pair, or the folder holds
            another data set.
    """
    _check(out, settings)
    sources: list[PooledSource] = []
    parts: dict[str, PooledImages] = {}
    seen: dict[tuple[str, str], str] = {}
    for number, text in enumerate(settings.sources):
        source, keys, readers = _open(text, number, settings.box_region)
        _one_part_each(source.name, keys, seen)
        sources.append(source)
        for part, reader in readers.items():
            names = _names([key for _, key in keys[part]], f"{source.name}, {part}")
            chosen = evenly(len(reader), settings.limit)
            parts.setdefault(part, []).extend(PooledImage(source, reader, index, names[index]) for index in chosen)
    encodings = encodings_of(settings, _labels(sources, settings))
    for part, places in parts.items():
        _require_queries(part, places, settings, encodings)
    _claim(out, settings)
    with bulk_writes():
        counts = {part: write_part(out, part, places, settings, encodings) for part, places in parts.items()}
    vocabularies = {source.name: source.vocabulary for source in sources}
    write_json(out / "dataset.json", {**_described(settings), "vocabularies": vocabularies, "parts": counts}, indent=1)
    return Built(counts, tuple(source.name for source in sources if source.region == "head"))


def _check(out: Path, settings: Settings) -> None:
    if not settings.sources:
        raise ConfigError("a pooled data set needs a source", where="--from", hint="such as --from 'pets root=PATH'")
    if not settings.tasks:
        raise ConfigError("no task is given", where="--tasks", choices=TASKS)
    if settings.size < MULTIPLE or settings.size % MULTIPLE:
        raise ConfigError(f"pictures of {settings.size} px", where="--size", hint=f"use a multiple of {MULTIPLE}")
    if not (math.isfinite(settings.far) and settings.far > NEAR):
        raise ConfigError(f"a farthest depth of {settings.far:g} m", where="--far", hint=f"choose more than {NEAR} m")
    for path in (out, *out.parents):
        if path.is_file():
            raise ConfigError("this is a file, not a folder", where=path, hint="name a new folder with --out")


def _described(settings: Settings) -> dict[str, Any]:
    return {"format": FORMAT, "settings": asdict(settings), "hash": _hash(settings)}


def _hash(settings: Settings) -> str:
    """Hash of the settings that decide the content, without defaults of later ones: older data sets keep theirs."""
    usual = Settings(settings.sources)
    values = {
        name: value
        for name, value in asdict(settings).items()
        if name not in ("box_region", "outline") or value != getattr(usual, name)
    }
    return value_hash(values)


def _claim(out: Path, settings: Settings) -> None:
    """Refuses a folder of something else; an interrupted build of the same settings is resumed."""
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


def _open(
    text: str, number: int, region: Literal["box", "head", "auto"]
) -> tuple[PooledSource, Keys, dict[str, Reader]]:
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
    source = PooledSource(
        f"{number:02d}-{kind}",
        joined_names(reader.categories for reader in readers.values()),
        joined_names(reader.labels for reader in readers.values()),
        joined_synonyms(reader.synonyms for reader in readers.values()),
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


def _labels(sources: Sequence[PooledSource], settings: Settings) -> tuple[str, ...]:
    """Of all sources, in the order of their colours. ConfigError for more than there are colours."""
    labels = joined_names(source.labels for source in sources)
    if "classify" in settings.tasks and len(labels) > NUM_CLASS_COLOURS:
        counts = ", ".join(f"{len(source.labels)} of {source.name}" for source in sources if source.labels)
        raise ConfigError(
            f"there are colours for {NUM_CLASS_COLOURS} classes of images, but {len(labels)} classes: {counts}",
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
    times = Counter(name.lower() for name in plain)  # some file systems ignore case
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


def _require_queries(part: str, places: PooledImages, settings: Settings, encodings: Mapping[Task, Painted]) -> None:
    """Raises DataError where a part has no query; the first image with one ends the search."""
    for place in places:
        sample = with_region(place.reader[place.number], place.source.region)
        if queries_of(sample, place.source, settings, encodings):
            return
    names = ", ".join(dict.fromkeys(place.source.name for place in places))
    without = {"test": ", or build without it: test=null", "validation": ", or build without it: validation_share=0"}
    raise DataError(
        f"no query for the part `{part}`: no image of it is labelled for {', '.join(settings.tasks)}",
        where=names, hint=f"choose other tasks{without.get(part, '')}",
    )  # fmt: skip
