"""Predictions on disk: COCO results, DeepLabCut-style csv, overlays, an overlaid video."""

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gensight.drawing import overlay
from gensight.files.atomic import atomic_path, write_json
from gensight.files.images import write_image
from gensight.files.videos import VideoWriter
from gensight.metrics.coco_results import coco_results
from gensight.samples import Array, Instance, Prediction
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


class PredictionWriter:
    """Writes predictions, image by image, into a folder; nothing appears there under its name before it is whole.

    - `predictions.json`: COCO results; `images.json`: the COCO images and category that they speak of.
    - `keypoints.csv`: as DeepLabCut writes it (scorer, bodyparts, coords; x, y, likelihood), one row per subject.
    - `overlays/*.jpg` for images, `overlay.mp4` for a video.
    """

    def __init__(self, folder: Path, skeleton: Skeleton, scorer: str, frame_rate: float | None, draw: bool) -> None:
        self.folder, self.skeleton, self.scorer = folder, skeleton, scorer
        self.frame_rate, self.draw = frame_rate, draw
        self._images: list[dict[str, Any]] = []

    @contextmanager
    def open(self) -> Iterator["PredictionWriter"]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            results = stack.enter_context(atomic_path(self.folder / "predictions.json"))
            table = stack.enter_context(atomic_path(self.folder / "keypoints.csv"))
            self._results = JsonList(stack.enter_context(results.open("w", encoding="utf-8")))
            self._table = csv.writer(stack.enter_context(table.open("w", encoding="utf-8", newline="")))
            self._header()
            self._video: VideoWriter | None = None
            if self.draw and self.frame_rate is not None:
                rate = Fraction(self.frame_rate).limit_denominator(1001)
                self._video = stack.enter_context(VideoWriter(self.folder / "overlay.mp4", rate))
            yield self
            self._results.close()
        category = {
            "id": CATEGORY_ID,
            "name": "subject",
            "keypoints": list(self.skeleton.keypoints),
            "skeleton": [[a + 1, b + 1] for a, b in self.skeleton.edges],
        }
        write_json(self.folder / "images.json", {"images": self._images, "categories": [category]})

    def add(self, prediction: Prediction, image: Array) -> None:
        """Writes one image's merged prediction; `image` is uint8 RGB (height, width, 3)."""
        image_id = len(self._images) + 1
        height, width = prediction.size
        self._images.append({"id": image_id, "file_name": prediction.sample_key, "height": height, "width": width})
        for entry in coco_results([prediction], {prediction.sample_key: image_id}, self.skeleton, CATEGORY_ID):
            self._results.add(entry)
        for instance in prediction.instances:
            self._row(prediction.sample_key, instance)
        if self.draw:
            self._draw(prediction, image)

    def _header(self) -> None:
        names = self.skeleton.keypoints
        self._table.writerow(["scorer", *[self.scorer] * (3 * len(names))])
        self._table.writerow(["bodyparts", *[name for name in names for _ in range(3)]])
        self._table.writerow(["coords", *["x", "y", "likelihood"] * len(names)])

    def _row(self, key: str, instance: Instance) -> None:
        keypoints = instance.keypoints
        assert keypoints is not None
        values = np.column_stack([keypoints.points - 0.5, keypoints.confidence])
        row = key.rpartition("#")[2] if self.frame_rate is not None else key
        self._table.writerow([str(int(row)) if row.isdigit() else row, *[f"{v:.3f}" for v in values.ravel()]])

    def _draw(self, prediction: Prediction, image: Array) -> None:
        drawn = overlay(image, prediction)
        if self._video is not None:
            self._video.write(drawn)
        else:
            path = self.folder / "overlays" / f"{prediction.sample_key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, drawn)
