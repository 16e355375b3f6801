"""Predictions as tables on disk: gaze, classes, matched points and similarities."""

import csv
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from gensight.files.atomic import atomic_path
from gensight.metrics.base import plain
from gensight.prediction.outputs.writer import Files, JsonList, Rows
from gensight.prediction.sources import PredictionSource
from gensight.samples import Array, Prediction

NUM_TOP = 5  # classes of an image


class RowFiles(Files):
    """What its children find in an image, a list of rows: NAME.csv of some columns, NAME.json of all that a row has.

    An image that can't be read has one row, with nothing but its name.
    """

    columns: ClassVar[tuple[str, ...]]

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        with ExitStack() as stack:
            paths = [stack.enter_context(atomic_path(folder / f"{self.name}.{kind}")) for kind in ("csv", "json")]
            cells, listing = (stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in paths)
            writer = csv.DictWriter(cells, self.columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            entries = JsonList(listing)
            for shown, found in rows():
                for row in [{"image": shown.key}] if found is None else found:
                    writer.writerow(row)
                    entries.add(row)
            entries.close()


class GazeFiles(RowFiles):
    """Writes where people look, in pixels of their images: an entry for each person of each image."""

    name = "gaze"
    columns = (
        "image", "person", "head_x_min", "head_y_min", "head_x_max", "head_y_max", "gaze_x", "gaze_y", "in_frame",
        "in_frame_probability", "spread_px",
    )  # fmt: skip

    def add(self, prediction: Prediction, stem: str, folder: Path) -> list[dict[str, Any]]:
        rows = []
        for number, one in enumerate(prediction.instances):
            if one.gaze is None or one.gaze.in_frame_probability is None:
                continue
            head = [None] * 4 if one.head_box is None else [plain(float(v)) for v in one.head_box]
            point = one.gaze.points.mean(0) if len(one.gaze.points) else [float("nan")] * 2
            values = (
                prediction.sample_key, number, *head, *(plain(float(v)) for v in point), bool(one.gaze.in_frame),
                plain(one.gaze.in_frame_probability), None if one.gaze.spread is None else plain(one.gaze.spread),
            )  # fmt: skip
            rows.append({name: _finite(value) for name, value in zip(self.columns, values, strict=True)})
        return rows


class LabelFiles(RowFiles):
    """Writes the class of each image with its confidence.

    `labels.csv` has the most probable class; `labels.json` also the five most probable with their probabilities.
    """

    name = "labels"
    columns = ("image", "label", "confidence")

    def add(self, prediction: Prediction, stem: str, folder: Path) -> list[dict[str, Any]]:
        best = top_labels(prediction)
        if not best:
            return []
        label, confidence = next(iter(best.items()))
        return [{"image": prediction.sample_key, "label": label, "confidence": confidence, "likeliest": best}]


def top_labels(prediction: Prediction) -> dict[str, float]:
    """The most probable classes of an image with their probabilities, the best first; {} where none was predicted."""
    scores = prediction.label_scores or {}
    return {name: float(scores[name]) for name in sorted(scores, key=lambda name: -scores[name])[:NUM_TOP]}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


class MatchFiles(Files):
    """Writes `matches.csv`: one row per point and image: x, y in the reference, its place in the image, confidence.

    Args:
        points: float (num_points, 2), (x, y) in pixels of the reference.
    """

    name: ClassVar[str] = "matches"

    def __init__(self, points: Array) -> None:
        self.points = points

    def add(self, prediction: Prediction, stem: str, folder: Path) -> list[list[str]]:
        matches = prediction.matches
        assert matches is not None  # of every prediction with points
        found = zip(self.points, matches.points, matches.confidence, strict=True)
        return [
            [str(number), *(f"{value:.2f}" for value in (*point, *place)), f"{confidence:.3f}"]
            for number, (point, place, confidence) in enumerate(found)
        ]

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        with atomic_path(folder / "matches.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", "point", "x", "y", "found_x", "found_y", "confidence"])
            for shown, found in rows():
                table.writerows([shown.key, *cells] for cells in ([[""] * 6] if found is None else found))


class SimilarityFiles(Files):
    """Writes `similarities.csv`: how alike the reference and each image are, most alike first."""

    name: ClassVar[str] = "similarities"

    def add(self, prediction: Prediction, stem: str, folder: Path) -> float | None:
        return _finite(float((prediction.similarities or (float("nan"),))[0]))

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        known = [(shown.key, math.nan if value is None else value) for shown, value in rows()]
        known.sort(key=lambda row: math.inf if math.isnan(row[1]) else -row[1])
        with atomic_path(folder / "similarities.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", "similarity"])
            table.writerows((key, f"{value:.4f}") for key, value in known)
