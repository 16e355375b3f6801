"""Images compared with a reference on disk: `matches.csv` of points, `similarities.csv` of whole images."""

import csv
from contextlib import ExitStack
from pathlib import Path

from gensight.files.atomic import atomic_path
from gensight.samples import Array, Prediction


class MatchFiles:
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
        """Writes where the points lie in one image."""
        matches = prediction.matches
        assert matches is not None  # of every prediction with points
        found = zip(self.points, matches.points, matches.confidence, strict=True)
        for number, (point, place, confidence) in enumerate(found):
            numbers = [f"{value:.2f}" for value in (*point, *place)]
            self._table.writerow([prediction.sample_key, number, *numbers, f"{confidence:.3f}"])

    def close(self) -> None:
        """Nothing: the rows are written."""


class SimilarityFiles:
    """Writes `similarities.csv`: how alike the reference and each image are, most alike first.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[tuple[str, float]] = []

    def open(self, stack: ExitStack) -> None:
        """Nothing: the table is written whole at the end."""

    def add(self, prediction: Prediction) -> None:
        """Takes one image's similarity."""
        self._rows.append((prediction.sample_key, (prediction.similarities or (float("nan"),))[0]))

    def close(self) -> None:
        with atomic_path(self.folder / "similarities.csv") as path, path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", "similarity"])
            table.writerows((key, f"{value:.4f}") for key, value in sorted(self._rows, key=lambda row: -row[1]))
