"""Predicted gaze on disk: gaze.json and gaze.csv, one entry for each person of each image or frame."""

import numpy as np

from gensight.metrics.base import plain
from gensight.prediction.outputs.rows import RowFiles
from gensight.samples import Array, Prediction


class GazeFiles(RowFiles):
    """Writes where people look, in pixels of their images.

    Args:
        folder: Where.
    """

    name = "gaze"
    columns = (
        "image", "person", "head_x_min", "head_y_min", "head_x_max", "head_y_max", "gaze_x", "gaze_y", "in_frame",
        "in_frame_probability", "spread_px",
    )  # fmt: skip

    def add(self, prediction: Prediction) -> None:
        """Takes the people of one image whose gaze was predicted."""
        for number, one in enumerate(prediction.instances):
            if one.gaze is None or one.gaze.in_frame_probability is None:
                continue
            head = [None] * 4 if one.head_box is None else [plain(float(v)) for v in one.head_box]
            point = one.gaze.points.mean(0) if len(one.gaze.points) else [float("nan")] * 2
            values = (
                prediction.sample_key, number, *head, *(plain(float(v)) for v in point), bool(one.gaze.in_frame),
                plain(one.gaze.in_frame_probability), None if one.gaze.spread is None else plain(one.gaze.spread),
            )  # fmt: skip
            self.rows.append(dict(zip(self.columns, values, strict=True)))


def head_of_person(box: Array) -> Array:
    """A guess of the head in a person's box: a square at its top, about a fifth as high."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    side = min(max(0.2 * height, 0.3 * width), 0.8 * width, height)
    middle = float(box[0] + box[2]) / 2
    return np.array([middle - side / 2, box[1], middle + side / 2, box[1] + side])
