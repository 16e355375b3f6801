"""Several classes asked of an image: together where training asked for so many, else one by one and then joined."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from torch import Tensor

from gensight.encodings.painted.answers import PaintedMask
from gensight.encodings.painted.base import OUTPUT, asked_classes, code_colours, image_nearest, nearest_codes
from gensight.encodings.painted.instructed import Instructed
from gensight.instructions.class_lists import COUNTS
from gensight.samples import Array, Instance, Item, Prediction, Sample, View, merge_predictions

Answered = tuple[Item, View, Tensor]  # what was asked, how the image was seen, and what was painted: (3, height, width)


def most_at_once(encoding: Instructed, task: str) -> int:
    """Classes that one picture is asked for at most: of segmentation and detection, as many as in training."""
    most = encoding.tasks[task].most_classes
    if task not in ("segment", "detect"):
        return most
    return min(most, max(COUNTS)) if encoding.several else 1


def together(encoding: Instructed, task: str, classes: Sequence[str]) -> bool:
    """Whether one picture is asked for all of these classes."""
    return len(classes) <= most_at_once(encoding, task)


def plan(encoding: Instructed, sample: Sample, task: str, classes: Sequence[str], text: str) -> list[Item]:
    """The items that ask for classes: one in these words, or one for each class in the task's usual words."""
    if together(encoding, task, classes):
        return [encoding.item(sample, task, classes, text)]
    return [encoding.item(sample, task, (name,)) for name in classes]


def joined(encoding: Instructed, answers: Iterable[Answered], count: int) -> Prediction:
    """The answers to the `count` items of one image as one: all boxes; the most confident of masks at each pixel."""
    answers = iter(answers)
    if count > 1:
        first = next(answers)
        painted, answers = encoding.of(first[0]), chain([first], answers)
        if isinstance(painted, PaintedMask):
            return _joined_masks(painted, answers)
    decoded = [encoding.decode({OUTPUT: shown}, item, (view,)) for item, view, shown in answers]
    return merge_predictions(decoded)[0]


def _joined_masks(painted: PaintedMask, answers: Iterable[Answered]) -> Prediction:
    """As `PaintedMask.read` does of one picture, of pictures that show one class each; in the memory of one."""
    names: list[str] = []
    numbers, most_sure = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)
    for item, view, shown in answers:  # noqa: B007
        names += asked_classes(item)
        picture = np.clip(shown.permute(1, 2, 0).numpy(), 0, 1)
        cells, sure = nearest_codes(picture, code_colours(1), painted.threshold)
        better = (cells == 1) & (sure > most_sure)
        numbers, most_sure = np.where(better, len(names), numbers), np.where(better, sure, most_sure)
    sample, pixels = item.sample, image_nearest(numbers, view, 0)
    instances = []
    for number, name in enumerate(names, start=1):
        mask = pixels == number
        if mask.mean() > painted.min_share:
            confidence = float(most_sure[numbers == number].mean())
            instances.append(Instance(name, mask=_Mask(mask), confidence=confidence))
    return Prediction(sample.key, sample.size, tuple(instances), group=sample.group)


class _Mask:
    """Pixels of one class, kept eight to a byte; its call is `Instance.mask`."""

    def __init__(self, mask: Array) -> None:
        self._bits, self._shape = np.packbits(mask), mask.shape

    def __call__(self) -> Array:
        return np.unpackbits(self._bits, count=self._shape[0] * self._shape[1]).reshape(self._shape).astype(bool)
