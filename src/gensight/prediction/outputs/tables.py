"""Predictions as tables on disk: gaze, classes, matched points and similarities."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from gensight.files.atomic import atomic_path, write_json, write_text
from gensight.metrics.base import plain
from gensight.prediction.outputs.writer import Files
from gensight.samples import Array, Prediction

NUM_TOP = 5  # classes of an image


class RowFiles(Files):
    """What its children add to `rows`: NAME.csv of some columns, NAME.json of all that a row has.

    Args:
        folder: Where.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []

    def close(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / f"{self.name}.csv", text.getvalue())
        write_json(self.folder / f"{self.name}.json", self.rows, indent=1)


class GazeFiles(RowFiles):
    """Writes where people look, in pixels of their images: an entry for each person of each image."""

    name = "gaze"
    columns = (
        "image", "person", "head_x_min", "head_y_min", "head_x_max", "head_y_max", "gaze_x", "gaze_y", "in_frame",
        "in_frame_probability", "spread_px",
    )  # fmt: skip

    def add(self, prediction: Prediction) -> None:
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


class LabelFiles(RowFiles):
    """Writes the class of each image with its confidence.

    `labels.csv` has the most probable class; `labels.json` also the five most probable with their probabilities.
    """

    name = "labels"
    columns = ("image", "label", "confidence")

    def add(self, prediction: Prediction) -> None:
        best = top_labels(prediction)
        if best:
            label, confidence = next(iter(best.items()))
            self.rows.append(
                {"image": prediction.sample_key, "label": label, "confidence": confidence, "likeliest": best}
            )


def top_labels(prediction: Prediction) -> dict[str, float]:
    """The most probable classes of an image with their probabilities, the best first; {} where none was predicted."""
    scores = prediction.label_scores or {}
    return {name: float(scores[name]) for name in sorted(scores, key=lambda name: -scores[name])[:NUM_TOP]}


class MatchFiles(Files):
    """Writes `matches.csv`: one row per point and image: x, y in the reference, its place in the image, confidence.

    Args:
        folder: Where.
        points: float (num_points, 2), (x, y) in pixels of the reference.
    """

    def __init__(self, folder: Path, points: Array) -> None:
        self.folder, self.points = folder, points

    def open(self, stack: ExitStack) -> None:
        path = stack.enter_context(atomic_path(self.folder / "matches.csv"))
        self._table = csv.writer(stack.enter_context(path.open("w", encoding="utf-8", newline="")))
        self._table.writerow(["image", "point", "x", "y", "found_x", "found_y", "confidence"])

    def add(self, prediction: Prediction) -> None:
        matches = prediction.matches
        assert matches is not None  # of every prediction with points
        found = zip(self.points, matches.points, matches.confidence, strict=True)
        for number, (point, place, confidence) in enumerate(found):
            numbers = [f"{value:.2f}" for value in (*point, *place)]
            self._table.writerow([prediction.sample_key, number, *numbers, f"{confidence:.3f}"])


class SimilarityFiles(Files):
    """Writes `similarities.csv`: how alike the reference and each image are, most alike first.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[tuple[str, float]] = []

    def add(self, prediction: Prediction) -> None:
        self._rows.append((prediction.sample_key, (prediction.similarities or (float("nan"),))[0]))

    def close(self) -> None:
        with atomic_path(self.folder / "similarities.csv") as path, path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", "similarity"])
            table.writerows((key, f"{value:.4f}") for key, value in sorted(self._rows, key=lambda row: -row[1]))
