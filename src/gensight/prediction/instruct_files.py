"""Answers to an instruction on disk."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gensight.files.atomic import write_json
from gensight.files.images import write_image
from gensight.metrics.base import plain
from gensight.readers.listings import plain_name
from gensight.samples import Instance, Prediction


class InstructFiles:
    """Writes `answers.json` and `masks/KEY-CLASS.png` (8 bits, 255 where the class is).

    `answers.json` has the question and, for each image, its `size`, `instances` (category, confidence, `box` as
    x_min, y_min, x_max, y_max in pixels of the image, `mask`: a file) and `label_scores`.

    Args:
        folder: Where.
        question: What was asked: instruction, task, classes, and how.
    """

    def __init__(self, folder: Path, question: dict[str, Any]) -> None:
        self.folder, self.question = folder, question
        self._answers: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        """Nothing: the table is written when all is known."""

    def add(self, prediction: Prediction) -> None:
        scores = prediction.label_scores
        self._answers.append(
            {
                "sample_key": prediction.sample_key,
                "size": list(prediction.size),
                "instances": [self._instance(prediction, number) for number in range(len(prediction.instances))],
                "label_scores": None if scores is None else {name: float(value) for name, value in scores.items()},
                "depth": None if prediction.depth is None else f"depth/{prediction.sample_key}.png",
            }
        )

    def close(self) -> None:
        write_json(self.folder / "answers.json", {**self.question, "answers": self._answers}, indent=1)

    def _instance(self, prediction: Prediction, number: int) -> dict[str, Any]:
        one: Instance = prediction.instances[number]
        entry: dict[str, Any] = {"category": one.category, "confidence": float(one.confidence)}
        box = one.box if one.box is not None else one.head_box
        if box is not None:
            entry["box"] = [plain(float(edge)) for edge in box]
        if one.mask is not None:
            name = f"{prediction.sample_key}-{plain_name(one.category)}.png"
            path = self.folder / "masks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.where(one.mask(), 255, 0).astype(np.uint8))
            entry["mask"] = f"masks/{name}"
        return entry
