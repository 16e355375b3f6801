"""A specialist, any model of the transformers library, as a baseline, on the same queries and metrics as a run.

The model's task is read from its `config.json`: a classifier (ResNet, ViT ...), a segmenter (SegFormer,
Mask2Former), a depth model (DPT, ZoeDepth, Depth Anything), a detector (DETR, RT-DETR ...). Classes are matched by
name: a model's `tabby, tabby cat` and a data set's `Tabby_cat` are one; a class that a model does not know is never
predicted.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gensight.backbones.transformers_models import model_folder
from gensight.errors import ConfigError, RunError
from gensight.samples import Instance, Item, Prediction, Sample
from gensight.teachers.models.classification import ClassTeacher
from gensight.teachers.models.depth import DepthTeacher
from gensight.teachers.models.detection import DetectionTeacher
from gensight.teachers.models.pretrained import PretrainedTeacher
from gensight.teachers.models.segmentation import Mask, SegmentTeacher
from gensight.teachers.names import model_names

PREFIX = "transformers:"
TASKS: dict[str, type[PretrainedTeacher]] = {
    "classify": ClassTeacher,
    "segment": SegmentTeacher,
    "depth": DepthTeacher,
    "detect": DetectionTeacher,
}


class Specialist:
    """Answers items of one task; see the module's text.

    Args:
        source: Hub id or folder, with or without `transformers:` before it.
        device: `auto`, `cpu`, `cuda` ...

    Attributes:
        name: For tables.
        task: `classify`, `segment`, `depth` or `detect`.

    Raises:
        RunError: The model's files are missing or damaged, or it is of none of these tasks.
    """

    def __init__(self, source: str, device: str = "auto") -> None:
        source = source.removeprefix(PREFIX)
        folder = model_folder(source)
        self.task = task_of(folder)
        # A detector gives all its boxes, since average precision is about their order.
        self.teacher: PretrainedTeacher = (
            DetectionTeacher(source, device, threshold=0.0)
            if self.task == "detect"
            else TASKS[self.task](source, device)
        )
        self.teacher.prepare()
        self.name, _ = model_names(PREFIX.removesuffix(":"), source)
        self._seen: tuple[Sample, object] | None = None

    @property
    def metric_depth(self) -> bool:
        """Whether its depth is in metres."""
        return isinstance(self.teacher, DepthTeacher) and self.teacher.depth_kind == "metric"

    def knows(self, names: Sequence[str]) -> list[str]:
        """Those of a data set's classes that the model knows."""
        if isinstance(self.teacher, ClassTeacher | SegmentTeacher):
            known = {word for name in self.teacher.classes for word in words(name)}
        elif isinstance(self.teacher, DetectionTeacher):
            known = {word for name in self.teacher.categories.values() for word in words(name)}
        else:
            return list(names)
        return [name for name in names if words(name) & known]

    def __call__(self, item: Item) -> Prediction:
        """One image's answer to one query. ConfigError for a query of another task."""
        task = "depth" if item.query is None else item.query.task
        if task != self.task:
            raise ConfigError(f"`{self.name}` answers `{self.task}`, not `{task}`", where=item.key)
        sample, options = item.sample, () if item.query is None else item.query.options
        prediction = Prediction(sample.key, sample.size, item_key=item.key, group=sample.group)
        match self.teacher:
            case ClassTeacher():
                return replace(prediction, label_scores=self._labels(sample, options))
            case SegmentTeacher():
                return replace(prediction, instances=self._masks(self.teacher, sample, options))
            case DetectionTeacher():
                return replace(prediction, instances=self._boxes(sample, options))
            case _:
                return replace(prediction, depth=self.teacher.label([sample])[0].depth)

    def _labels(self, sample: Sample, options: Sequence[str]) -> dict[str, float]:
        """Shares of the options, or of all that the model knows where there are none."""
        assert isinstance(self.teacher, ClassTeacher)  # as __call__ has checked
        shares = self._once(sample)
        assert isinstance(shares, dict)  # a classifier's output
        if not options:
            return dict(shares)
        return {name: sum(share for known, share in shares.items() if words(known) & words(name)) for name in options}

    def _masks(self, teacher: SegmentTeacher, sample: Sample, options: Sequence[str]) -> tuple[Instance, ...]:
        scores = self._once(sample)
        assert isinstance(scores, np.ndarray)  # a segmenter's output
        best, found = scores.argmax(0), []
        for name in options:
            numbers = [number for number, known in enumerate(teacher.classes) if words(known) & words(name)]
            mask = np.isin(best, numbers)
            if mask.any():
                confidence = float(np.clip(scores[numbers].sum(0)[mask].mean(), 0, 1))
                found.append(Instance(name, mask=Mask(mask), confidence=confidence))
        return tuple(found)

    def _boxes(self, sample: Sample, options: Sequence[str]) -> tuple[Instance, ...]:
        boxes = self._once(sample)
        assert isinstance(boxes, tuple)  # a detector's output
        return tuple(
            Instance(name, box=one.box, confidence=one.confidence)
            for name in options
            for one in boxes
            if words(one.category) & words(name)
        )

    def _once(self, sample: Sample) -> object:
        """The model's output for an image, kept while its queries follow each other."""
        if self._seen is None or self._seen[0] is not sample:
            match self.teacher:
                case ClassTeacher() | SegmentTeacher():
                    answer: object = self.teacher.probabilities(sample)
                case _:
                    answer = self.teacher.label([sample])[0].instances
            self._seen = (sample, answer)
        return self._seen[1]


def task_of(folder: Path) -> str:
    """What the model of a folder does. RunError if it has no config.json, or does none of `TASKS`."""
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        hint = "give a folder as `save_pretrained` of transformers writes it, or a hub id"
        raise RunError("this is not a transformers model's folder: its config.json can't be read", where=path,
                       hint=hint) from error  # fmt: skip
    for task, teacher in TASKS.items():
        if kind in teacher.families:
            return task
    choices = sorted(name for teacher in TASKS.values() for name in teacher.families)
    raise RunError(f"a model of type {kind!r} is no baseline here", where=path, choices=choices)


def words(name: str) -> set[str]:
    """The names of a class that has several, by commas; in small letters, with blanks."""
    return {" ".join(part.lower().replace("_", " ").replace("-", " ").split()) for part in name.split(",")} - {""}
