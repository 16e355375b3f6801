"""Painted tasks chosen by instructions: which classes are queried of each sample, present and absent ones."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.painted.base import OnePicture, Painted
from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.masks import class_cells
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError
from gensight.instructions.class_lists import several_classes
from gensight.instructions.colours import named_colours
from gensight.instructions.grammar import COLOURS, IMAGE_TASKS, TASKS, YES_AND_NO, Task, as_task, fixed
from gensight.readers.shared.class_maps import BACKGROUND, UNKNOWN, class_map
from gensight.samples import Item, Prediction, Query, Sample, View

VOCABULARY = "vocabulary"  # key in `Sample.extras`: what was looked for in this image, where data sets are pooled
SHOWN = "shown"  # target: the class at each pixel, independent of the query
LABEL = "label"  # target: the class of the whole image, independent of the query
Asking = Literal["sampled", "all"]
_SHOWN_STRIDE = 4


class Instructed(OnePicture):
    """Several painted tasks under one output: an item's query selects one, and names classes.

    In segmentation and detection an item queries one class; absent classes are queried too, and their answer is black.
    A share of the samples has an additional query of two or three classes, whose colours follow the order of
    `categories`. In classification, `sampled` chooses among all labels, and adds yes-or-no queries of the right label
    and of wrong ones; `all` chooses among all labels. `colour` has yes-or-no queries alone, which name the colours of
    their answers: two at random, or one and black. For scoring, `all` queries every class of the vocabulary on every
    image.

    Args:
        tasks: Name of task (one of `TASKS`) -> its encoding.
        categories: Classes of pixels and objects.
        labels: Classes of whole images.
        negatives: Absent classes queried per sample and task, when `sampled`.
        seed: Seeds their choice, with the sample's key.
        asking: `sampled` or `all`.
        several: Share of samples with a query of several classes at once, for each task, when `sampled`.
        repeats: Name of task -> how often its items are repeated per sample, when `sampled`; in classification, the
            choice among all labels. Balances depth, one item per sample, with masks, one item per class.
        shown: Whether targets include all visible classes beside the answer: `shown` (1, height / 4, width / 4), the
            number of the class at each cell's centre, in the order of `categories` from 1; 0 none of them, -1 unknown;
            and `label` (1,), the place of the image's class in `labels`, -1 unknown.

    Raises:
        ConfigError: A task without a vocabulary, or under another's name.
    """

    name = "painted"

    def __init__(
        self,
        tasks: Mapping[str, Painted],
        categories: Sequence[str] = (),
        labels: Sequence[str] = (),
        negatives: int = 1,
        seed: int = 0,
        asking: Asking = "sampled",
        several: float = 0.0,
        repeats: Mapping[str, int] | None = None,
        shown: bool = False,
    ) -> None:
        if not tasks or any(name != one.task for name, one in tasks.items()):
            raise ConfigError("each painted task must have its own task's name", choices=TASKS)
        self.tasks = dict(tasks)
        for task, names in (("segment", categories), ("detect", categories), ("classify", labels), ("colour", labels)):
            if task in tasks and not names:
                key = "labels" if names is labels else "categories"
                raise ConfigError(f"`{task}` needs names of classes", where=f"encoding.{key}")
        self.categories, self.labels = tuple(categories), tuple(labels)
        self.negatives, self.seed, self.asking, self.several = negatives, seed, asking, several
        self.repeats, self.shown = repeats or {}, shown

    def for_scoring(self) -> "Instructed":
        """The same, querying all classes of every image."""
        return Instructed(self.tasks, self.categories, self.labels, self.negatives, self.seed, "all")

    def items(self, sample: Sample) -> list[Item]:
        """One per task and query; none of a task without labels in this sample."""
        return [
            item
            for task in self.tasks for classes in self._queries(task, sample)
            for item in [self.item(sample, task, classes, colours=self._colours(task, sample, classes))]
            * self._times(task, classes)
        ]  # fmt: skip

    def _times(self, task: str, classes: Sequence[str]) -> int:
        yes_or_no = task == "classify" and len(classes) == 1
        return 1 if self.asking == "all" or yes_or_no else self.repeats.get(task, 1)

    def of(self, item: Item) -> Painted:
        """The task of an item. ConfigError where it names none of these."""
        task = None if item.query is None else item.query.task
        if task not in self.tasks:
            raise ConfigError(f"no painted task is called `{task}`", where=item.key, choices=self.tasks)
        return self.tasks[task]

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        return self.of(item).decode(outputs, item, views)

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        return self.of(item).panel(prediction, item)

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        targets = self.of(item).encode(item, views)
        if not self.shown:
            return targets
        label = self.labels.index(item.sample.label) if item.sample.label in self.labels else UNKNOWN
        return targets | {SHOWN: self._shown_at(item.sample, views[0]), LABEL: torch.tensor([label])}

    def _shown_at(self, sample: Sample, view: View) -> Tensor:
        grid_size = view.model_size[0] // _SHOWN_STRIDE, view.model_size[1] // _SHOWN_STRIDE
        cells = class_cells(sample, self.categories, view, grid_size)
        if cells is None:
            return torch.full((1, *grid_size), UNKNOWN)
        return torch.from_numpy(cells.astype(np.int64))[None]

    def item(
        self, sample: Sample, task: str, classes: Sequence[str], text: str | None = None, colours: Sequence[str] = ()
    ) -> Item:
        """An item that queries classes of a sample, with this instruction or the task's usual one; `colours` of yes and
        no are those that the instruction names, where none are given."""
        if task == "colour" and not colours:
            colours = named_colours(text or "") or YES_AND_NO
        words = fixed(_task(task), classes, colours).text if text is None else text
        return Item((sample,), query=Query(words, task, tuple(classes), tuple(colours)))

    def _colours(self, task: str, sample: Sample, classes: Sequence[str]) -> Sequence[str]:
        if task != "colour":
            return ()
        random = Random(f"{self.seed} {sample.key} {task} {classes}")
        yes, no = random.sample(COLOURS, 2)
        return (yes, "black") if yes != "black" and random.random() < 0.5 else (yes, no)

    def _queries(self, task: str, sample: Sample) -> Iterator[tuple[str, ...]]:
        if task in IMAGE_TASKS:
            yield from (() for _ in self.tasks[task].items(sample))
            return
        if task in ("classify", "colour"):
            yield from self._labels(task, sample)
            return
        shown = self._shown(task, sample)
        if shown is None:
            return
        known = self._known("categories", sample)
        if self.asking == "all":
            yield from ((name,) for name in known)
            return
        absent = [name for name in known if name not in shown]
        shown -= self._crowds(task, sample)
        yield from ((name,) for name in known if name in shown)
        yield from ((name,) for name in self._sampled(absent, task, sample))
        together = several_classes(known, shown, self.several, f"{self.seed} {sample.key} {task} several")
        if together is not None and len(together) <= self.tasks[task].most_classes:
            yield together

    def _labels(self, task: str, sample: Sample) -> Iterator[tuple[str, ...]]:
        known = self._known("labels", sample)
        if sample.label not in known:
            return
        if task == "classify":
            yield known
        elif self.asking == "all":
            yield from ((name,) for name in known)
        if self.asking == "sampled":
            yield (sample.label,)
            absent = [name for name in known if name != sample.label]
            yield from ((name,) for name in self._sampled(absent, task, sample))

    def _shown(self, task: str, sample: Sample) -> set[str] | None:
        """Classes that the sample shows; None without annotation."""
        if task == "segment":
            classes = class_map(sample, self.categories)
            if classes is None:
                return None
            labelled = (item.query.options[0] for item in self.tasks[task].items(sample) if item.query is not None)
            return set(labelled) - {BACKGROUND}
        boxes = self.tasks[task]
        assert isinstance(boxes, PaintedBoxes)
        return {one.category for one in sample.instances or ()} if boxes.marked(sample) else None

    @staticmethod
    def _crowds(task: str, sample: Sample) -> set[str]:
        """Classes of which there are crowds alone: they have no box to paint, and are not absent either."""
        if task != "detect":
            return set()
        single = {one.category for one in sample.instances or () if not one.is_crowd}
        return {one.category for one in sample.instances or ()} - single

    def _known(self, key: Literal["categories", "labels"], sample: Sample) -> tuple[str, ...]:
        names = self.categories if key == "categories" else self.labels
        own = sample.extras.get(VOCABULARY)
        return names if own is None else tuple(name for name in names if name in own[key])

    def _sampled(self, absent: list[str], task: str, sample: Sample) -> list[str]:
        return Random(f"{self.seed} {sample.key} {task}").sample(absent, min(self.negatives, len(absent)))


def _task(name: str) -> Task:
    task = as_task(name)
    if task is None:
        raise ConfigError(f"no painted task is called `{name}`", choices=TASKS)
    return task
