"""A specialist, any model of the transformers library, as a baseline, on the same queries and metrics as a run.

The model's task is read from its `config.json`: a classifier (ResNet, ViT ...), a segmenter (SegFormer,
Mask2Former), a depth model (DPT, ZoeDepth, Depth Anything), a detector (DETR, RT-DETR ...). Classes are matched by
name: a model's `tabby, tabby cat` and a data set's `Tabby_cat` are one; a class that a model does not know is never
predicted.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gensight.backbones.transformers_models import model_folder
from gensight.errors import ConfigError, RunError
from gensight.samples import Instance, Item, Prediction, Sample
from gensight.teachers.base import model_names
from gensight.teachers.models.classification import ClassTeacher
from gensight.teachers.models.depth import DepthTeacher
from gensight.teachers.models.detection import DetectionTeacher
from gensight.teachers.models.pretrained import PretrainedTeacher, read_config
from gensight.teachers.models.segmentation import SegmentTeacher, class_masks

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
        weights: Hub id or folder, with or without `transformers:` before it.
        device: `auto`, `cpu`, `cuda` ...

    Attributes:
        name: For tables.
        task: `classify`, `segment`, `depth` or `detect`.

    Raises:
        RunError: The model's files are missing or damaged, or it is of none of these tasks.
    """

    def __init__(self, weights: str, device: str = "auto") -> None:
        weights = weights.removeprefix(PREFIX)
        self.task = task_of(model_folder(weights))
        # A detector gives all its boxes, since average precision is about their order.
        settings = {"threshold": 0.0} if self.task == "detect" else {}
        self.teacher: Any = TASKS[self.task](weights, device, **settings)
        self.teacher.prepare()
        self.name, _ = model_names(PREFIX.removesuffix(":"), weights)
        self._seen: tuple[Sample, Any] | None = None

    @property
    def metric_depth(self) -> bool:
        """Whether its depth is in metres."""
        return self.task == "depth" and self.teacher.depth_kind == "metric"

    def knows(self, names: Sequence[str]) -> list[str]:
        """Those of a data set's classes that the model knows."""
        if self.task == "depth":
            return list(names)
        known = {word for name in self.teacher.classes.values() for word in words(name)}
        return [name for name in names if words(name) & known]

    def __call__(self, item: Item) -> Prediction:
        """One image's answer to one query. ConfigError for a query of another task."""
        task = "depth" if item.query is None else item.query.task
        if task != self.task:
            raise ConfigError(f"`{self.name}` answers `{self.task}`, not `{task}`", where=item.key)
        sample, options = item.sample, () if item.query is None else item.query.options
        found = self._once(sample)
        prediction = Prediction(sample.key, sample.size, item_key=item.key, group=sample.group)
        match self.task:
            case "classify":
                return replace(prediction, label_scores=_label_scores(found, options))
            case "segment":
                known = self.teacher.classes.items()
                numbers = {name: [number for number, one in known if words(one) & words(name)] for name in options}
                return replace(prediction, instances=class_masks(found, numbers))
            case "detect":
                return replace(prediction, instances=_boxes(found.instances, options))
            case _:
                return replace(prediction, depth=found.depth)

    def _once(self, sample: Sample) -> Any:
        """The model's output for an image, kept while its queries follow each other."""
        if self._seen is None or self._seen[0] is not sample:
            shares = self.task in ("classify", "segment")
            answer = self.teacher.probabilities(sample) if shares else self.teacher.label([sample])[0]
            self._seen = (sample, answer)
        return self._seen[1]


def _label_scores(shares: dict[str, float], options: Sequence[str]) -> dict[str, float]:
    """Of the options, or of all that the model knows where there are none."""
    if not options:
        return dict(shares)
    return {name: sum(share for known, share in shares.items() if words(known) & words(name)) for name in options}


def _boxes(boxes: Sequence[Instance], options: Sequence[str]) -> tuple[Instance, ...]:
    return tuple(
        Instance(name, box=one.box, confidence=one.confidence)
        for name in options
        for one in boxes
        if words(one.category) & words(name)
    )


def task_of(folder: Path) -> str:
    """What the model of a folder does. RunError if it has no config.json, or does none of `TASKS`."""
    kind = read_config(folder).get("model_type")
    for task, teacher in TASKS.items():
        if kind in teacher.families:
            return task
    choices = sorted(name for teacher in TASKS.values() for name in teacher.families)
    raise RunError(f"a model of type {kind!r} is no baseline here", where=folder / "config.json", choices=choices)


def words(name: str) -> set[str]:
    """The names of a class that has several, by commas; in small letters, with blanks."""
    return {" ".join(part.lower().replace("_", " ").replace("-", " ").split()) for part in name.split(",")} - {""}
