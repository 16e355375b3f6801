"""What a run answers to the items of one image, decoded and merged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gensight.encodings.base import DESCRIPTORS, Encoding
from gensight.encodings.painted.base import (
    OUTPUT,
    code_colours,
    image_nearest,
    nearest_codes,
    query_classes,
)
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.readers.shared.label_maps import PackedMask
from gensight.samples import Instance, Item, Prediction, ScoreMap, View, merge_predictions

# Items of one image and their predictions -> the predictions, smoothed over time
Smooth = Callable[[Sequence[Item], Sequence[Prediction]], list[Prediction]]


class ItemOutputs(NamedTuple):
    """One item with what the method gave for it.

    Attributes:
        item: The item.
        views: One per image of the item.
        outputs: Name -> tensor without a batch axis.
    """

    item: Item
    views: tuple[View, ...]
    outputs: Mapping[str, Tensor]


def merge_outputs(
    encoding: Encoding,
    answers: Iterable[ItemOutputs],
    count: int,
    keep_maps: bool = False,
    smooth: Smooth | None = None,
) -> Prediction:
    """The prediction of one image.

    Of masks that were queried class by class the most confident is kept at each pixel, in the memory of one of them.

    Args:
        encoding: Decodes them.
        answers: To the `count` items of the image.
        count: At least one.
        keep_maps: Whether the prediction keeps the maps of all outputs; those of further items are named `NAME-1` ...
        smooth: Changes the predictions before they are merged.
    """
    answers = iter(answers)
    if count > 1 and isinstance(encoding, Instructed):
        first = next(answers)
        painted, answers = encoding.of(first.item), chain([first], answers)
        if isinstance(painted, PaintedMask):
            if not keep_maps:  # one by one, since each holds a picture
                return _most_confident(painted, answers)
            found = list(answers)
            kept = _all_maps(encoding, found, _decode(encoding, found))
            return replace(_most_confident(painted, found), maps=kept)
    found = list(answers)
    decoded = _decode(encoding, found)
    maps = _all_maps(encoding, found, decoded) if keep_maps else None
    if smooth is not None:
        decoded = smooth([one.item for one in found], decoded)
    (merged,) = merge_predictions(decoded)
    return merged if maps is None else replace(merged, maps=maps)


def _decode(encoding: Encoding, answers: Sequence[ItemOutputs]) -> list[Prediction]:
    return [encoding.decode(one.outputs, one.item, one.views) for one in answers]


def _all_maps(
    encoding: Encoding, answers: Sequence[ItemOutputs], predictions: Sequence[Prediction]
) -> dict[str, ScoreMap]:
    maps: dict[str, ScoreMap] = {}
    for number, (one, prediction) in enumerate(zip(answers, predictions, strict=True)):
        known = {name.split("-")[0] for name in prediction.maps}
        raw = {
            name: ScoreMap(one.outputs[name].numpy(), one.views[0])
            for name, spec in encoding.outputs.items()
            if spec.kind not in (*DESCRIPTORS, "vector") and name not in known
        }
        maps |= {
            name if name not in maps else f"{name}-{number}": score
            for name, score in {**prediction.maps, **raw}.items()
        }
    return maps


def _most_confident(painted: PaintedMask, answers: Iterable[ItemOutputs]) -> Prediction:
    """As `PaintedMask.read` does of one picture, of pictures that show one class each."""
    names: list[str] = []
    numbers, most_sure = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)
    for item, views, outputs in answers:  # noqa: B007
        names += query_classes(item)
        picture = np.clip(outputs[OUTPUT].permute(1, 2, 0).numpy(), 0, 1)
        cells, sure = nearest_codes(picture, code_colours(1), painted.threshold)
        better = (cells == 1) & (sure > most_sure)
        numbers, most_sure = np.where(better, len(names), numbers), np.where(better, sure, most_sure)
    sample, pixels = item.sample, image_nearest(numbers, views[0], 0)
    instances = []
    for number, name in enumerate(names, start=1):
        mask = pixels == number
        if mask.mean() > painted.min_share:
            confidence = float(most_sure[numbers == number].mean())
            instances.append(Instance(name, mask=PackedMask.of(mask), confidence=confidence))
    return Prediction(sample.key, sample.size, tuple(instances), group=sample.group)
