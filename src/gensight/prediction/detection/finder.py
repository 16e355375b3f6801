"""Boxes of subjects: from a file, a detector or a tracker; or none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gensight.prediction.detection.boxes import Detector, detect_boxes
from gensight.prediction.detection.heads import HeadFinder
from gensight.prediction.sources import Boxes
from gensight.readers.footage.tracked import Tracker
from gensight.samples import Array, Sample


@dataclass(frozen=True, eq=False)
class BoxFinder:
    """Gives the boxes of images; None: each image is one subject as a whole.

    Attributes:
        known: Of a detections file.
        detector: Finds people image by image.
        threshold: Least score of a detection.
        heads: Finds one head in each image.
        tracker: Follows the one subject that moves, for runs that learned that way.
    """

    known: Boxes | None = None
    detector: Detector | None = None
    threshold: float = 0.5
    heads: HeadFinder | None = None
    tracker: Tracker | None = None

    def boxes(self, samples: Sequence[Sample]) -> Boxes | None:
        """The boxes of subjects; of heads, where those are what a file or a keypoint run gives."""
        if self.tracker is not None:
            return {sample.key: [(self.tracker.box(sample), 1.0)] for sample in samples}
        if self.heads is not None:
            return self.heads.boxes(samples)
        return self.known if self.detector is None else detect_boxes(self.detector, samples, self.threshold)

    def heads_of(self, boxes: Boxes | None) -> Boxes:
        """The boxes of heads: a detector's boxes are people, all others are heads already."""
        if boxes is None or self.detector is None:
            return boxes or {}
        return {key: [(head_of_person(box), score) for box, score in found] for key, found in boxes.items()}


def head_of_person(box: Array) -> Array:
    """A guess of the head in a person's box: a square at its top, about a fifth as high."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    side = min(max(0.2 * height, 0.3 * width), 0.8 * width, height)
    middle = float(box[0] + box[2]) / 2
    return np.array([middle - side / 2, box[1], middle + side / 2, box[1] + side])
