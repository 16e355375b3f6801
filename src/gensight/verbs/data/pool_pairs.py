"""Instructions about a pooled image, and the answers as they are stored."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

import numpy as np
from PIL import Image

from gensight.encodings.painted.base import Painted, query_classes
from gensight.encodings.painted.boxes import OUTLINE, PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass, PaintedColour
from gensight.encodings.painted.depth import PaintedDepth
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.encodings.painted.restored import PaintedRestoration
from gensight.errors import ConfigError, DataError
from gensight.instructions.grammar import IMAGE_TASKS, RESTORATIONS, Task, as_task, fixed, rephrased
from gensight.readers.instruct_pool.reader import LEVELS, NEAR
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.readers.shared.listings import plain_name
from gensight.samples import Array, Item, Sample, View
from gensight.transforms import whole_frame

MULTIPLE = 8  # sides are multiples of it, as latent models need
USUAL: tuple[Task, ...] = ("segment", "detect", "depth", "classify")
TASKS: tuple[Task, ...] = (*USUAL, "colour", *RESTORATIONS)  # that a pool holds
Region = Literal["box", "head"]
_CHOICES = {
    "phrasing": ("fixed", "rephrased"),
    "depth_scale": ("log", "linear"),
    "box_style": ("filled", "outlines"),
    "box_region": ("box", "head", "auto"),
}


@dataclass(frozen=True)
class Settings:
    """What decides the content of a pooled data set.

    Attributes:
        sources: Each a kind of data set and its keys: `pets root=PATH`.
        tasks: Of `TASKS`, each once.
        size: Longer side of the pictures, in pixels.
        phrasing: `fixed`, one instruction per task and class, or `rephrased`.
        negatives: Absent classes queried per image and task.
        depth_scale: `log` or `linear`.
        far: Farthest depth, in metres.
        box_style: `filled` or `outlines`.
        outline: Colour of outlines, and their width in pixels of the image.
        limit: Images taken of each part of each source, evenly spaced; None: all.
        images_per_shard: 0 writes plain folders.
        seed: Of phrases and negatives.
        several: Share of images queried for several classes at once, for each of segmentation and detection.
        box_region: Targets of `detect`: `box`, whole objects; `head`, their heads; `auto`: heads, of the sources
            that mark no whole objects.
    """

    sources: tuple[str, ...]
    tasks: tuple[Task, ...] = USUAL
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
    outline: tuple[str, int] = OUTLINE

    @classmethod
    def checked(cls, **values: Any) -> "Settings":
        """Settings from a user's values; a task counts once. Raises ConfigError for one that is none of the choices."""
        for key, choices in _CHOICES.items():
            if key in values and values[key] not in choices:
                raise ConfigError(f"unknown value '{values[key]}'", where=key, choices=choices)
        if isinstance(values.get("outline"), str):
            colour, _, width = values["outline"].partition(",")
            if not width.strip().isdecimal():
                raise ConfigError(f"no outline: '{values['outline']}'", where="--outline", hint="such as blue,4")
            values["outline"] = colour.strip(), int(width)
        if "tasks" in values:
            values["tasks"] = tuple(dict.fromkeys(values["tasks"]))
        for task in values.get("tasks", ()):
            if task not in TASKS:
                raise ConfigError(f"no task is called `{task}`", where="--tasks", choices=TASKS)
        return cls(**values)


@dataclass(frozen=True, eq=False)
class PooledPair:
    """One instruction and its answer; `target` is a PNG."""

    name: str
    target: bytes
    record: dict[str, Any]


@dataclass(frozen=True)
class PooledSource:
    """A data set that is pooled, over all its parts.

    Attributes:
        name: `00-pets`.
        categories: Classes of pixels and objects.
        labels: Classes of whole images.
        synonyms: Other names of either.
        region: Whether the targets of `detect` are objects or their heads.
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


def encodings_of(settings: Settings, labels: Sequence[str]) -> dict[Task, Painted]:
    """Encodings of the chosen tasks; `labels`: of all sources, in the order of their colours."""
    known: dict[Task, Painted] = {
        "segment": PaintedMask(), "detect": PaintedBoxes(settings.box_style, outline=settings.outline),
        "depth": PaintedDepth(scale=settings.depth_scale, near=NEAR, far=settings.far),
    }  # fmt: skip
    known |= {task: PaintedRestoration(task) for task in RESTORATIONS}
    if labels:
        known |= {"classify": PaintedClass(labels), "colour": PaintedColour(labels)}
    return {task: known[task] for task in settings.tasks if task in known}


def with_region(sample: Sample, region: Region) -> Sample:
    """The sample, whose boxes are those of heads where `region` is `head`."""
    if region == "box" or sample.instances is None:
        return sample
    return replace(sample, instances=tuple(replace(one, box=one.head_box) for one in sample.instances))


def queries_of(
    sample: Sample, source: PooledSource, settings: Settings, encodings: Mapping[Task, Painted]
) -> list[Item]:
    """The queries of a sample, one item each, as training samples them."""
    categories = tuple(name for name in source.categories if name != BACKGROUND)
    names = {"segment": categories, "detect": categories, "classify": source.labels, "colour": source.labels}
    tasks: dict[str, Painted] = {task: one for task, one in encodings.items() if task in IMAGE_TASKS or names[task]}
    if not tasks:
        return []
    return Instructed(
        tasks, categories, source.labels, settings.negatives, settings.seed, several=settings.several
    ).items(sample)


def pairs(
    sample: Sample, source: PooledSource, settings: Settings, encodings: Mapping[Task, Painted]
) -> tuple[View, list[PooledPair]]:
    """(how the image is stored, its instructions and answers)."""
    view = _view(sample.size, settings.size)
    sample = with_region(sample, source.region)
    items = queries_of(sample, source, settings, encodings)
    shown: dict[Task, set[str | None]] = {
        task: {sample.label}
        if task in ("classify", "colour")
        else {n for item in one.items(sample) for n in query_classes(item)}
        for task, one in encodings.items()
    }
    return view, [_pair(number, item, shown, source, encodings, view, settings) for number, item in enumerate(items)]


def _view(size: tuple[int, int], side: int) -> View:
    """The whole image, its longer side `side`, both sides multiples of 8."""
    scale = side / max(size)
    height, width = (max(MULTIPLE, round(length * scale / MULTIPLE) * MULTIPLE) for length in size)
    return whole_frame(size, (height, width))


def _pair(
    number: int,
    item: Item,
    shown: Mapping[Task, set[str | None]],
    source: PooledSource,
    encodings: Mapping[Task, Painted],
    view: View,
    settings: Settings,
) -> PooledPair:
    sample, query = item.sample, item.query
    task = as_task(None if query is None else query.task)
    assert query is not None and task is not None  # of `queries_of`
    classes = query.options
    seed = Random(f"{settings.seed} {sample.key} {task} {classes}").getrandbits(32)
    colours = query.colours
    usual = settings.phrasing == "fixed"
    phrase = fixed(task, classes, colours) if usual else rephrased(task, classes, seed, colours=colours)
    other = rephrased(task, classes, seed, source.synonyms, "held-out", colours=colours)
    painted = encodings[task].paint(item, view)
    if painted is None:
        raise DataError(f"this sample cannot answer `{phrase.text}`", where=sample.key)
    what = "all" if task == "classify" and len(classes) > 1 else "-".join(map(plain_name, classes)) or "image"
    record = {
        "instruction": phrase.text, "held_out_instruction": other.text, "task": task, "classes": classes,
        **({"colours": colours} if colours else {}),
        "present": not classes or not shown[task].isdisjoint(classes),
        "sample": sample.key, "group": sample.group, "image_size": sample.size,
        "size": view.model_size, "label": sample.label if task in ("classify", "colour") else None,
        **(_boxes(sample, classes) if task == "detect" else {"boxes": None}),
    }  # fmt: skip
    return PooledPair(f"{number:02d}-{task}-{what}", _png(task, *painted), record)


def _boxes(sample: Sample, classes: Sequence[str]) -> dict[str, Any]:
    """Boxes of the classes, which of them are difficult, and the image's crowds, which are no targets."""
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
