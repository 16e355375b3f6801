"""Predicted gaze on disk: gaze.json and gaze.csv, one entry for each person of each image or frame."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gensight.files.atomic import write_json, write_text
from gensight.metrics.base import plain
from gensight.samples import Array, Prediction

COLUMNS = (
    "image", "person", "head_x_min", "head_y_min", "head_x_max", "head_y_max", "gaze_x", "gaze_y", "in_frame",
    "in_frame_probability", "spread_px",
)  # fmt: skip


class GazeFiles:
    """Writes where people look, in pixels of their images.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        """Nothing: both files are written whole at the end."""

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
            self._rows.append(dict(zip(COLUMNS, values, strict=True)))

    def close(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self.folder / "gaze.csv", text.getvalue())
        write_json(self.folder / "gaze.json", self._rows, indent=1)


def head_of_person(box: Array) -> Array:
    """A guess of the head in a person's box: a square at its top, about a fifth as high."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    side = min(max(0.2 * height, 0.3 * width), 0.8 * width, height)
    middle = float(box[0] + box[2]) / 2
    return np.array([middle - side / 2, box[1], middle + side / 2, box[1] + side])
