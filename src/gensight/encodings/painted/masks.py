"""Masks of classes as painted answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gensight.encodings.painted.base import (
    EVEN,
    Painted,
    answer_prediction,
    cells_nearest,
    code_colours,
    image_nearest,
    nearest_codes,
    query_classes,
)
from gensight.errors import DataError
from gensight.readers.shared.class_maps import BACKGROUND, UNKNOWN, class_map
from gensight.samples import Array, Instance, Item, Prediction, Query, Sample, Size, View


@dataclass(frozen=True, eq=False)
class _Region:
    """Pixels of one number; its call is `Instance.mask`."""

    numbers: Array
    number: int

    def __call__(self) -> Array:
        return np.asarray(self.numbers == self.number)


def class_cells(sample: Sample, names: Sequence[str], view: View, grid_size: Size) -> Array | None:
    """`ClassMap.places_in` at each cell's centre; None where no class map is known.

    Raises:
        DataError: The class map is not of the image's size.
    """
    classes = class_map(sample, names)
    if classes is None:
        return None
    places = classes.places_in(names)
    if places.shape != tuple(sample.size):
        raise DataError(f"classes of {places.shape} for an image of {sample.size}", where=sample.key)
    return cells_nearest(places, view, grid_size, UNKNOWN)


class PaintedMask(Painted):
    """Pixels of the queried classes on black: one class white, several in the colours of `code_colours`, in order.

    Bound on its own encodings: a pixel is right if the centre of its cell lies in the same class; so borders move by
    at most half a cell (measured in the round-trip tests at 64 to 512 px).

    Args:
        min_share: Predicted masks of a smaller share of the image are left out.
        threshold: See `nearest_codes`.
    """

    name, task = "painted-mask", "segment"

    def __init__(self, min_share: float = 0.0, threshold: float = EVEN) -> None:
        self.min_share, self.threshold = min_share, threshold

    def items(self, sample: Sample) -> list[Item]:
        """One per class that the image shows."""
        classes = class_map(sample)
        if classes is None:
            return []
        shown = {classes.names[n] for n in np.unique(classes()) if n not in classes.ignored} - {BACKGROUND}
        return [Item((sample,), query=Query(f"segment the {name}", self.task, (name,))) for name in sorted(shown)]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        queried = query_classes(item)
        cells = class_cells(item.sample, queried, view, view.model_size)
        if cells is None or not queried:
            return None
        return code_colours(len(queried))[np.maximum(cells, 0)], cells != UNKNOWN

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """An instance per queried class that has a pixel; its confidence is the mean over its pixels."""
        queried = query_classes(item)
        cells, sure = nearest_codes(picture, code_colours(max(1, len(queried))), self.threshold)
        numbers = image_nearest(cells, view, 0)
        instances = []
        for number, name in enumerate(queried, start=1):
            if (numbers == number).mean() > self.min_share:
                confidence = float(sure[cells == number].mean()) if (cells == number).any() else 0.0
                instances.append(Instance(name, mask=_Region(numbers, number), confidence=confidence))
        return answer_prediction(item, instances)
