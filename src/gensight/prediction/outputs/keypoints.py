"""Predicted keypoints on disk: COCO results, a DeepLabCut-style csv."""

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gensight.files.atomic import atomic_path, write_json
from gensight.metrics.coco.results import coco_results
from gensight.prediction.outputs.writer import Files
from gensight.samples import Instance, Prediction
from gensight.skeletons import Skeleton

CATEGORY_ID = 1


class JsonList:
    """A json list written entry by entry, in constant memory."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.separator = file, "[\n"

    def add(self, entry: dict[str, Any]) -> None:
        self.file.write(self.separator + json.dumps(entry))
        self.separator = ",\n"

    def close(self) -> None:
        self.file.write("\n]\n" if self.separator != "[\n" else "[]\n")


class KeypointFiles(Files):
    """Writes `predictions.json` (COCO results), `images.json` (their images) and `keypoints.csv` (DeepLabCut).

    Args:
        folder: Where.
        skeleton: The keypoints.
        scorer: Names the run in the table.
        frames: Whether the predictions are a video's: the table then numbers its rows by frame.
    """

    def __init__(self, folder: Path, skeleton: Skeleton, scorer: str, frames: bool) -> None:
        self.folder, self.skeleton, self.scorer, self.frames = folder, skeleton, scorer, frames
        self._images: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        results = stack.enter_context(atomic_path(self.folder / "predictions.json"))
        table = stack.enter_context(atomic_path(self.folder / "keypoints.csv"))
        self._results = JsonList(stack.enter_context(results.open("w", encoding="utf-8")))
        self._table = csv.writer(stack.enter_context(table.open("w", encoding="utf-8", newline="")))
        names = self.skeleton.keypoints
        self._table.writerow(["scorer", *[self.scorer] * (3 * len(names))])
        self._table.writerow(["bodyparts", *[name for name in names for _ in range(3)]])
        self._table.writerow(["coords", *["x", "y", "likelihood"] * len(names)])

    def add(self, prediction: Prediction) -> None:
        image_id = len(self._images) + 1
        height, width = prediction.size
        self._images.append({"id": image_id, "file_name": prediction.sample_key, "height": height, "width": width})
        for entry in coco_results([prediction], {prediction.sample_key: image_id}, self.skeleton, CATEGORY_ID):
            self._results.add(entry)
        for instance in prediction.instances:
            self._row(prediction.sample_key, instance)

    def close(self) -> None:
        self._results.close()
        category = {
            "id": CATEGORY_ID,
            "name": "subject",
            "keypoints": list(self.skeleton.keypoints),
            "skeleton": [[a + 1, b + 1] for a, b in self.skeleton.edges],
        }
        write_json(self.folder / "images.json", {"images": self._images, "categories": [category]})

    def _row(self, key: str, instance: Instance) -> None:
        keypoints = instance.keypoints
        assert keypoints is not None
        values = np.column_stack([keypoints.points - 0.5, keypoints.confidence])
        row = key.rpartition("#")[2] if self.frames else key
        self._table.writerow([str(int(row)) if row.isdigit() else row, *[f"{v:.3f}" for v in values.ravel()]])
