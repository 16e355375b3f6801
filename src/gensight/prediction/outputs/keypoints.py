"""Predicted keypoints on disk: COCO results, and tables of one row per frame in the formats of other tools."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gensight.files.atomic import atomic_path, json_text
from gensight.metrics.coco.results import coco_results
from gensight.prediction.outputs.writer import Files, JsonList, Rows
from gensight.prediction.sources import PredictionSource
from gensight.readers.poses.coco import CATEGORY_ID, category_entry, image_entry
from gensight.readers.poses.deeplabcut import can_write_h5
from gensight.readers.poses.formats import FORMATS
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject
from gensight.samples import Instance, Keypoints, Prediction, Visibility
from gensight.skeletons import Skeleton

TABLE = "keypoints"  # name of the tables, without suffixes


class KeypointFiles(Files):
    """Writes `predictions.json` (COCO results), `images.json` (their images), and `keypoints.csv` (DeepLabCut).

    `keypoints.h5` stands beside the csv where PyTables is installed; further formats by choice. A table has exactly
    one row per frame, and a place for each subject where a frame can have several, in the order of the boxes.

    Args:
        skeleton: The keypoints.
        scorer: Names the run in the tables.
        several: Whether a frame can have several subjects.
        formats: What is written besides; see `readers/poses/formats.py`.
    """

    name: ClassVar[str] = "keypoints"

    def __init__(self, skeleton: Skeleton, scorer: str, several: bool, formats: Sequence[str] = ()) -> None:
        self.skeleton, self.scorer, self.several = skeleton, scorer, several
        self.formats = dict.fromkeys(["csv", *(["h5"] if can_write_h5() else []), *formats])

    def add(self, prediction: Prediction, stem: str, folder: Path) -> list[dict[str, Any]]:
        return [self._entry(one) for one in prediction.instances if one.keypoints is not None]

    def _entry(self, instance: Instance) -> dict[str, Any]:
        found = instance.keypoints
        assert found is not None
        points = [[None if np.isnan(value) else float(value) for value in point] for point in found.points]
        return {"score": float(instance.confidence), "identity": instance.identity, "points": points,
                "visibility": found.visibility.tolist(), "confidence": found.confidence.tolist()}  # fmt: skip

    def _instance(self, entry: dict[str, Any]) -> Instance:
        points = np.array(entry["points"], np.float64).reshape(-1, 2)
        visibility, confidence = np.array(entry["visibility"], np.int8), np.array(entry["confidence"], np.float32)
        keypoints = Keypoints(self.skeleton, points, visibility, confidence)
        return Instance("subject", keypoints=keypoints, confidence=entry["score"], identity=entry["identity"])

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        table = self.table(rows, source)
        for name in self.formats:
            chosen = FORMATS[name]
            chosen.write(table, folder / f"{TABLE}{chosen.suffix}")
        with atomic_path(folder / "predictions.json") as path, path.open("w", encoding="utf-8") as file:
            results = JsonList(file)
            for number, (shown, entries) in enumerate(rows(), start=1):
                found = Prediction(shown.key, shown.size, tuple(map(self._instance, entries or ())))
                for entry in coco_results([found], {shown.key: number}, self.skeleton, CATEGORY_ID):
                    results.add(entry)
            results.close()
        with atomic_path(folder / "images.json") as path, path.open("w", encoding="utf-8") as file:
            file.write('{"images": ')
            images = JsonList(file)
            for number, frame in enumerate(table.frames(), start=1):
                images.add(image_entry(number, frame))
            images.close()
            file.write(f', "annotations": [], "categories": [{json_text(category_entry(self.skeleton))}]}}\n')

    def summary(self, rows: Rows) -> str:
        num, seen = 0, 0
        for _, entries in rows():
            for visibility in (entry["visibility"] for entry in entries or ()):
                num, seen = num + len(visibility), seen + sum(one >= Visibility.OCCLUDED for one in visibility)
        return f"{seen} of {num} keypoints are above the run's confidence threshold; tables leave the others empty"

    def table(self, rows: Rows, source: PredictionSource | None) -> PoseTable:
        """All frames as a table, read from `rows` again at each use."""
        most, count, names = 1, 0, Counter[str]()
        for _, entries in rows():
            count, most = count + 1, max(most, len(entries or ()))
            names.update(entry["identity"] for entry in entries or () if entry["identity"])
        known = sorted(names)
        numbered = [f"individual{number}" for number in range(1, most + 1)]
        individuals = (known if known else numbered) if self.several or most > 1 else []

        def frames() -> Iterator[PoseFrame]:
            for shown, entries in rows():
                subjects = []
                for number, entry in enumerate(entries or ()):
                    one = self._instance(entry)
                    place = known.index(entry["identity"]) if known and individuals else number
                    assert one.keypoints is not None
                    subjects.append(Subject(place, one.keypoints, one.confidence))
                yield PoseFrame(shown.key, tuple(subjects), shown.frame, shown.time, shown.size)

        video = "" if source is None or source.frame_rate is None else str(source.path)
        rate = None if source is None else source.frame_rate
        return PoseTable(self.skeleton, frames, count, tuple(individuals), self.scorer, video, rate)
