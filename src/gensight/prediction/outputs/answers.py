"""Answers to an instruction on disk."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gensight.errors import ConfigError
from gensight.files.atomic import atomic_path, json_text, read_json
from gensight.files.images import write_image
from gensight.metrics.base import plain
from gensight.prediction.outputs.maps import map_name
from gensight.prediction.outputs.writer import Files, JsonList, Rows
from gensight.prediction.sources import PredictionSource
from gensight.readers.shared.listings import plain_name
from gensight.samples import Instance, Prediction

_SAME = ("instruction", "task", "classes")  # answers to the same instruction take each other's place


class AnswerFiles(Files):
    """Writes `answers.json` and `masks/NAME-CLASS.png` (8 bits, 255 where the class is).

    `answers.json` has the instruction and, for each image, its `size`, `instances` (category, confidence, `box` as
    x_min, y_min, x_max, y_max in pixels of the image, `keypoints` as name: x, y, confidence, `mask`: a file),
    `label_scores`, and the files `depth`, `edges` and `restored` of `MapFiles`; of an image that can't be read its
    `problem`.
    A folder holds the answers to one instruction.

    Args:
        described: Instruction, task, classes, and how the answers are sampled.
    """

    name: ClassVar[str] = "answers"

    def __init__(self, described: dict[str, Any]) -> None:
        self.described = described

    def check(self, folder: Path) -> None:
        """Raises ConfigError where the folder holds the answers to another instruction."""
        table = folder / "answers.json"
        if not table.is_file():
            return
        former = read_json(table)
        if not isinstance(former, dict) or any(former.get(key) != self.described.get(key) for key in _SAME):
            other = former.get("instruction") if isinstance(former, dict) else None
            hint = "choose another folder with --out, or remove this one"
            raise ConfigError(
                f"this folder holds the answers to another instruction: `{other}`", where=table, hint=hint
            )

    def add(self, prediction: Prediction, stem: str, folder: Path) -> dict[str, Any]:
        scores = prediction.label_scores
        return {
            "sample_key": prediction.sample_key,
            "size": list(prediction.size),
            "instances": [self._instance(one, stem, folder) for one in prediction.instances],
            "label_scores": None if scores is None else {name: float(value) for name, value in scores.items()},
            "depth": None if prediction.depth is None else map_name("depth", stem),
            **{name: map_name(name, stem) for name in ("edges", "restored") if name in prediction.maps},
        }

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        with atomic_path(folder / "answers.json") as path, path.open("w", encoding="utf-8") as file:
            file.write(json_text(self.described)[:-1] + ', "answers": ')
            answers = JsonList(file)
            for shown, row in rows():
                empty = {"sample_key": shown.key, "size": list(shown.size), "instances": [], "label_scores": None,
                         "depth": None, "problem": shown.problem}  # fmt: skip
                answers.add(empty if row is None else row)
            answers.close()
            file.write("}\n")

    def _instance(self, one: Instance, stem: str, folder: Path) -> dict[str, Any]:
        entry: dict[str, Any] = {"category": one.category, "confidence": float(one.confidence)}
        box = one.box if one.box is not None else one.head_box
        if box is not None:
            entry["box"] = [plain(float(edge)) for edge in box]
        if one.keypoints is not None:
            found = zip(one.keypoints.skeleton.keypoints, one.keypoints.points, one.keypoints.confidence, strict=True)
            places = {name: [*map(float, point), float(confidence)] for name, point, confidence in found}
            entry["keypoints"] = {name: place for name, place in places.items() if np.isfinite(place).all()}
        if one.mask is not None:
            entry["mask"] = map_name("masks", stem, f"-{plain_name(one.category)}")
            write_image(folder / entry["mask"], np.where(one.mask(), 255, 0).astype(np.uint8))
        return entry
