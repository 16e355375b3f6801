"""The class of an image as a painted answer."""

from collections.abc import Sequence

import numpy as np

from gensight.encodings.class_label import label_panel
from gensight.encodings.painted.base import (
    NUM_CLASS_COLOURS,
    Painted,
    answer_prediction,
    class_colours,
    colour_shares,
    named_colour,
    query_classes,
)
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError
from gensight.instructions.grammar import YES_AND_NO, fixed
from gensight.samples import Array, Item, Prediction, Query, Sample, View


class PaintedClass(Painted):
    """The class of the whole image as one colour all over: a class of the vocabulary has its own of `code_colours`.

    `query.options` are the classes to choose from, by default the whole vocabulary; of one class alone (`is there a
    cat?`) white is yes and black is no. With several classes black stands for none of them. Several classes keep the
    colours of the vocabulary, since the instruction need not name them; where one is not in it, colours follow the
    order of the options.

    Bound on its own encodings: none; the right class, with confidence 1.

    Args:
        labels: The vocabulary.

    Raises:
        ConfigError: No labels, the same one twice, or more than `NUM_CLASS_COLOURS`.
    """

    name, task, most_classes = "painted-class", "classify", NUM_CLASS_COLOURS

    def __init__(self, labels: Sequence[str]) -> None:
        if not labels or len(set(labels)) < len(labels):
            raise ConfigError("a painted class needs at least one label, each only once")
        if len(labels) > NUM_CLASS_COLOURS:
            raise ConfigError(
                f"{len(labels)} labels, but there are colours for {NUM_CLASS_COLOURS} classes",
                where="encoding.labels", hint="name fewer labels, or leave `classify` out of the tasks",
            )  # fmt: skip
        self.labels = tuple(labels)

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose label is in the vocabulary."""
        if sample.label not in self.labels:
            return []
        return [Item((sample,), query=Query("classify the image", self.task, self.labels))]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        queried, label = query_classes(item), item.sample.label
        if label is None or not queried:
            return None
        colours = class_colours(queried, self.labels)
        colour = colours[queried.index(label) + 1] if label in queried else colours[0]
        return np.broadcast_to(colour, (*view.model_size, 3)).copy(), np.ones(view.model_size, dtype=bool)

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`label_scores` of the options: their colours' shares of the picture; with none of them they add up to 1."""
        queried = query_classes(item) or self.labels
        shares = colour_shares(picture, class_colours(queried, self.labels))
        scores = {name: float(shares[number]) for number, name in enumerate(queried, start=1)}
        return answer_prediction(item, label_scores=scores)

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `label_panel`."""
        return label_panel(prediction, item)


class PaintedColour(PaintedClass):
    """Whether an image is of a class, as a colour all over that the instruction names: `show purple if there is a cat,
    otherwise green` (Gan et al., "InstructCV", ICLR 2024). `query.colours` are the names of those of yes and no.

    Bound on its own encodings: none; the right answer, with confidence 1.
    """

    name, task, most_classes = "painted-colour", "colour", 1

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose label is in the vocabulary."""
        if sample.label not in self.labels:
            return []
        query = Query(fixed("colour", (sample.label,)).text, self.task, (sample.label,), YES_AND_NO)
        return [Item((sample,), query=query)]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        label = item.sample.label
        if label is None or not query_classes(item):
            return None
        colour = _no_and_yes(item)[int(label in query_classes(item))]
        return np.broadcast_to(colour, (*view.model_size, 3)).copy(), np.ones(view.model_size, dtype=bool)

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`label_scores` of the queried class: the share of the colour of yes, against that of no."""
        shares = colour_shares(picture, _no_and_yes(item))
        return answer_prediction(item, label_scores={name: float(shares[1]) for name in query_classes(item)})


def _no_and_yes(item: Item) -> Array:
    yes, no = (item.query.colours if item.query is not None else ()) or YES_AND_NO
    if named_colour(yes, "the instruction").tolist() == named_colour(no, "the instruction").tolist():
        raise ConfigError(f"yes and no are both {yes}", where=item.key, hint="name two colours in the instruction")
    return np.stack([named_colour(name, "the instruction") for name in (no, yes)])
