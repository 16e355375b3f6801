"""Answers to an instruction on disk."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import ConfigError
from gensight.files.atomic import read_json, write_json
from gensight.files.images import write_image
from gensight.metrics.base import plain
from gensight.prediction.outputs.maps import map_name
from gensight.prediction.outputs.writer import Files
from gensight.readers.shared.listings import plain_name
from gensight.samples import Instance, Prediction

_SAME = ("instruction", "task", "classes")  # answers to the same instruction take each other's place


class AnswerFiles(Files):
    """Writes `answers.json` and `masks/KEY-CLASS.png` (8 bits, 255 where the class is).

    `answers.json` has the instruction and, for each image, its `size`, `instances` (category, confidence, `box` as
    x_min, y_min, x_max, y_max in pixels of the image, `keypoints` as name: x, y, confidence, `mask`: a file),
    `label_scores`, and the files `depth` and `edges` of `MapFiles`.
    A folder holds the answers to one instruction: former ones to the same are removed.

    Args:
        folder: Where.
        described: Instruction, task, classes, and how the answers are sampled.
        frames: Whether the predictions are a video's, whose files are then named by the frame's number.
    """

    def __init__(self, folder: Path, described: dict[str, Any], frames: bool = False) -> None:
        self.folder, self.described, self.frames = folder, described, frames
        self._answers: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        """Removes former answers to the same. Raises ConfigError where the folder holds those to another."""
        table = self.folder / "answers.json"
        if not table.is_file():
            return
        former = read_json(table)
        if not isinstance(former, dict) or any(former.get(key) != self.described.get(key) for key in _SAME):
            other = former.get("instruction") if isinstance(former, dict) else None
            hint = "choose another folder with --out, or remove this one"
            raise ConfigError(
                f"this folder holds the answers to another instruction: `{other}`", where=table, hint=hint
            )
        table.unlink()
        for answer in former.get("answers", ()):
            self._remove(answer)

    def _remove(self, answer: dict[str, Any]) -> None:
        """The files of a former answer; none outside of the folder."""
        key = answer["sample_key"]
        names = [one["mask"] for one in answer["instances"] if "mask" in one]
        names += [map_name(kind, key, frames) for kind in ("depth", "edges", "pose") for frames in (False, True)]
        for name in (*names, f"overlays/{key}.jpg"):
            path = self.folder / name
            if path.resolve().is_relative_to(self.folder.resolve()):
                path.unlink(missing_ok=True)

    def add(self, prediction: Prediction) -> None:
        scores, key = prediction.label_scores, prediction.sample_key
        self._answers.append(
            {
                "sample_key": key,
                "size": list(prediction.size),
                "instances": [self._instance(prediction, number) for number in range(len(prediction.instances))],
                "label_scores": None if scores is None else {name: float(value) for name, value in scores.items()},
                "depth": None if prediction.depth is None else map_name("depth", key, self.frames),
                **({"edges": map_name("edges", key, self.frames)} if "edges" in prediction.maps else {}),
            }
        )

    def close(self) -> None:
        write_json(self.folder / "answers.json", {**self.described, "answers": self._answers}, indent=1)

    def _instance(self, prediction: Prediction, number: int) -> dict[str, Any]:
        one: Instance = prediction.instances[number]
        entry: dict[str, Any] = {"category": one.category, "confidence": float(one.confidence)}
        box = one.box if one.box is not None else one.head_box
        if box is not None:
            entry["box"] = [plain(float(edge)) for edge in box]
        if one.keypoints is not None:
            found = zip(one.keypoints.skeleton.keypoints, one.keypoints.points, one.keypoints.confidence, strict=True)
            places = {name: [*map(float, point), float(confidence)] for name, point, confidence in found}
            entry["keypoints"] = {name: place for name, place in places.items() if np.isfinite(place).all()}
        if one.mask is not None:
            entry["mask"] = map_name("masks", prediction.sample_key, self.frames, f"-{plain_name(one.category)}")
            write_image(self.folder / entry["mask"], np.where(one.mask(), 255, 0).astype(np.uint8))
        return entry
