"""Heads found by one of the project's own keypoint runs: one in each image, unreliably.

A head is a square around the nose, eyes and ears that the run predicts with confidence. A detection model, or boxes
in a file, are better where available.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gensight.errors import ConfigError
from gensight.prediction.detection.boxes import SURE
from gensight.prediction.request import Request
from gensight.prediction.sources import Boxes
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Keypoints, Sample, Size

OF_HEADS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_SPREAD = 2.0  # a head's side, in the largest distance between two of them: ears lie about half a head apart


@dataclass(frozen=True, eq=False)
class HeadFinder:
    """Applies a keypoint run to each image as a whole.

    Attributes:
        run: Its skeleton has at least two of the head's keypoints.
    """

    run: TrainedRun

    @classmethod
    def load(cls, folder: Path, device: str) -> "HeadFinder":
        """Raises RunError for a folder that is no finished run, ConfigError for one without the keypoints of heads."""
        run = TrainedRun.load(folder, device)
        names = run.skeleton.keypoints if run.skeleton is not None else ()
        if len(set(OF_HEADS) & set(names)) < 2:
            raise ConfigError(
                "this run finds no heads: its skeleton has no two of a head's keypoints",
                where=folder,
                choices=OF_HEADS,
                hint="train one that does: gensight train demo",
            )
        Request().resolve(run)
        return cls(run)

    def boxes(self, samples: Sequence[Sample]) -> Boxes:
        """Sample key -> the head's (box in pixels, score), or nothing where it is not found."""
        found: Boxes = {}
        for sample, prediction in zip(samples, self.run.predictor.answer(samples, Request()), strict=True):
            keypoints = prediction.instances[0].keypoints if prediction.instances else None
            head = None if keypoints is None else head_of_keypoints(keypoints, sample.size)
            found[sample.key] = [] if head is None else [head]
        return found


def head_of_keypoints(keypoints: Keypoints, size: Size) -> tuple[Array, float] | None:
    """(box in pixels, mean confidence) of the head's keypoints above `SURE`; None where fewer than two are.

    Args:
        keypoints: Of one person.
        size: (height, width) of the image.
    """
    rows = [row for row, name in enumerate(keypoints.skeleton.keypoints) if name in OF_HEADS]
    sure = [row for row in rows if keypoints.confidence[row] > SURE]
    if len(sure) < 2:
        return None
    points = keypoints.points[sure]
    spread = float(np.linalg.norm(points[:, None] - points[None], axis=-1).max())
    middle, reach = points.mean(0), max(_SPREAD * spread, 4.0) / 2
    box = np.clip(np.concatenate([middle - reach, middle + reach]), 0, np.tile(np.array(size[::-1], np.float64), 2))
    return None if (box[2:] <= box[:2]).any() else (box, float(keypoints.confidence[sure].mean()))
