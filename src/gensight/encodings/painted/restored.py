"""Restored photographs as painted answers: without rain, in good light, without noise."""

import numpy as np

from gensight.encodings.painted.base import Painted, answer_prediction
from gensight.errors import DataError
from gensight.geometry import warp_image
from gensight.instructions.grammar import Task, fixed
from gensight.readers.images.image_pairs import restored_image
from gensight.samples import Array, Item, Prediction, Query, Sample, ScoreMap, View

OUTPUT = "restored"


class PaintedRestoration(Painted):
    """The photograph as it would be, from data of image pairs.

    Bound on its own encodings: none in the model frame.

    Args:
        task: Of `RESTORATIONS`.
    """

    name = "painted-restoration"

    def __init__(self, task: Task) -> None:
        self.task, self._words = task, fixed(task).text

    def items(self, sample: Sample) -> list[Item]:
        """One per sample that has its restored image."""
        known = restored_image(sample, self.task) is not None
        return [Item((sample,), query=Query(self._words, self.task))] if known else []

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        read = restored_image(item.sample, self.task)
        if read is None:
            return None
        picture = read()
        if picture.shape[:2] != tuple(item.sample.size):
            what = f"a restored image of {picture.shape[:2]} for one of {tuple(item.sample.size)}"
            raise DataError(what, where=item.sample.key)
        known = warp_image(np.full(picture.shape[:2], 255, np.uint8), view) >= 128
        return warp_image(picture, view).astype(np.float32) / 255, known

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`maps["restored"]`: the picture."""
        values = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)
        return answer_prediction(item, maps={OUTPUT: ScoreMap(values, view, "picture")})
