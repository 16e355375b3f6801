"""Predicted classes of whole images on disk: labels.json and labels.csv, one entry for each image or frame."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gensight.files.atomic import write_json, write_text
from gensight.samples import Prediction

NUM_LIKELIEST = 5
COLUMNS = ("image", "label", "confidence")


class LabelFiles:
    """Writes the class of each image with its confidence.

    `labels.csv` has the likeliest class; `labels.json` besides that the likeliest five with their probabilities.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        """Nothing: both files are written whole at the end."""

    def add(self, prediction: Prediction) -> None:
        """Takes the class of one image."""
        best = likeliest(prediction)
        if best:
            label, confidence = next(iter(best.items()))
            self._rows.append(
                {"image": prediction.sample_key, "label": label, "confidence": confidence, "likeliest": best}
            )

    def close(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self.folder / "labels.csv", text.getvalue())
        write_json(self.folder / "labels.json", self._rows, indent=1)


def likeliest(prediction: Prediction, count: int = NUM_LIKELIEST) -> dict[str, float]:
    """The likeliest classes of an image with their probabilities, the best first; {} where none was predicted."""
    scores = prediction.label_scores or {}
    return {name: float(scores[name]) for name in sorted(scores, key=lambda name: -scores[name])[:count]}
