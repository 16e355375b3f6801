"""The class of the whole image: one probability for each class of a vocabulary."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec, predict
from gensight.encodings.panels import Panel, sheet
from gensight.errors import ConfigError
from gensight.samples import Item, Prediction, Query, Sample, Size, View

OUTPUT = "class"
TASK = "classify"


class ClassLabel(Encoding):
    """A vector with 1 at the image's class, or with a probability for each.

    Output `class`: (num_labels,), in the order of the labels, adding up to 1; `class_weight`: (num_labels,), 0 where
    the image has no label of the vocabulary. Exact both ways; a mirrored image is of the same class.

    Args:
        labels: The vocabulary.

    Raises:
        ConfigError: Fewer than two labels, or one that comes twice.
    """

    name = "class"

    def __init__(self, labels: Sequence[str]) -> None:
        if len(labels) < 2 or len(set(labels)) < len(labels):
            hint = "name each class once, or leave them to the data"
            raise ConfigError("a class is chosen from two labels or more", where="encoding.labels", hint=hint)
        self.labels = tuple(labels)

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {OUTPUT: OutputSpec(len(self.labels), "vector")}

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose label is in the vocabulary."""
        return [self._item(sample)] if sample.label in self.labels else []

    def items_to_predict(self, sample: Sample) -> list[Item]:
        """The classification item, also of a sample without a label."""
        return [self._item(sample)]

    def _item(self, sample: Sample) -> Item:
        return Item((sample,), query=Query("classify the image", TASK, self.labels))

    def grid_size(self, model_size: Size) -> Size:
        return model_size  # there are no maps

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target and weight, each (num_labels,)."""
        label = item.sample.label
        known = label in self.labels
        target = torch.zeros(len(self.labels))
        if label is not None and known:
            target[self.labels.index(label)] = 1
        return {OUTPUT: target, f"{OUTPUT}_weight": torch.full((len(self.labels),), float(known))}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """`label_scores`: the probabilities by name."""
        shares = outputs[OUTPUT].detach().float().cpu().tolist()
        return predict(item, label_scores=dict(zip(self.labels, shares, strict=True)))

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `label_panel`."""
        return label_panel(prediction, item)


def label_panel(prediction: Prediction, item: Item) -> Panel | None:
    """The image captioned with its most likely class; the error is 1 - probability of the true class."""
    scores = prediction.label_scores
    if not scores:
        return None
    predicted, truth = max(scores, key=lambda name: scores[name]), item.sample.label
    score_text = f"{predicted} {scores[predicted]:.2f}"
    if truth is None:
        return Panel(sheet([item.sample.image()], [score_text]), float("nan"), "")
    caption = score_text if predicted == truth else f"{score_text} (is {truth})"
    return Panel(sheet([item.sample.image()], [caption]), 1 - scores.get(truth, 0.0), "probability missed by")
