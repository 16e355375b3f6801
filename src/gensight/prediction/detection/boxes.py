"""Boxes that a detector found, as the subjects of a run that looks at one at a time.

The score of a person found this way is that of the box times that of the keypoints, and poses that are nearly the same
count once, as the field's top-down evaluation has it (Xiao et al., "Simple Baselines", ECCV 2018; mmpose).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gensight.errors import DataError
from gensight.geometry import box_size
from gensight.prediction.sources import Boxes, entry_box, read_entries
from gensight.samples import Array, Instance, Prediction, Sample

SURE = 0.2  # keypoints above this confidence count in a pose's score
PERSON = 1  # COCO's category
SAME = 0.9  # object keypoint similarity above which two poses are one
_ENTRY = '{"image_id": ..., "category_id": ..., "bbox": [x, y, width, height], "score": ...}'


@runtime_checkable
class Detector(Protocol):
    """Whatever finds boxes, such as a teacher `detect:MODEL`."""

    def label(self, samples: Sequence[Sample]) -> Sequence[Any]:
        """Of each sample an object with `instances`: a tuple, or None."""


def detect_boxes(detector: Detector, samples: Sequence[Sample], threshold: float = 0.5) -> Boxes:
    """Boxes and scores of every sample, best first, in the shape that `sources.read_boxes` gives.

    Args:
        detector: Gives instances with boxes.
        samples: Images.
        threshold: Least score.

    Returns:
        Sample key -> (box, score) pairs; an empty list where nothing was found.
    """
    boxes: Boxes = {}
    for sample, labels in zip(samples, detector.label(samples), strict=True):
        found = [
            (np.asarray(instance.box, dtype=np.float64), float(instance.confidence))
            for instance in labels.instances or ()
            if instance.box is not None and instance.confidence >= threshold
        ]
        boxes[sample.key] = sorted(found, key=lambda one: -one[1])
    return boxes


def read_detections(path: Path, image_ids: Mapping[str, int]) -> Boxes:
    """Boxes of a COCO results file, such as the person detections that are published for COCO's val2017.

    Args:
        path: Json list of entries with `image_id` (or `file_name`), `bbox`, `score` and perhaps `category_id`, of which
            those of another category than people (1) are left out.
        image_ids: Sample key -> `image_id` in the data set's own file.

    Returns:
        Sample key -> (box, score) pairs, best first; every key of `image_ids` has a list. Boxes without an area are
        left out, and so are images that are not in `image_ids`.

    Raises:
        DataError: Naming the first entry that is no detection; or if no entry is about any of the images.
    """
    keys = {image_id: key for key, image_id in image_ids.items()}
    boxes: Boxes = {key: [] for key in image_ids}

    def read(entry: Any) -> tuple[str | None, Array, float, Any]:
        key = keys.get(int(entry["image_id"])) if "image_id" in entry else str(entry["file_name"])
        return key, entry_box(entry), float(entry["score"]), entry.get("category_id")

    entries = read_entries(path, read, _ENTRY)
    for key, box, score, category in entries:
        if key in boxes and category in (None, PERSON) and min(box_size(box)) > 0:
            boxes[key].append((box, score))
    if entries and not any(key in boxes for key, *_ in entries):
        raise DataError(
            "none of the detections is about an image of this data set",
            where=path,
            hint="the file's `image_id`s must be those of the annotation file that is evaluated on",
        )
    return {key: sorted(found, key=lambda one: -one[1]) for key, found in boxes.items()}


def scored_by_box(instance: Instance, box_score: float) -> Instance:
    """A predicted pose with the score that ranks it among others: the box's times the keypoints' mean confidence.

    Args:
        instance: With keypoints.
        box_score: In [0, 1].

    Only keypoints above `SURE` count; a pose without any gets 0.
    """
    if instance.keypoints is None:
        return replace(instance, confidence=box_score)
    confidence = instance.keypoints.confidence
    counted = confidence[confidence > SURE]
    return replace(instance, confidence=box_score * float(counted.mean()) if len(counted) else 0.0)


def distinct_poses(instances: Iterable[Instance], sigmas: Sequence[float]) -> tuple[Instance, ...]:
    """Non-maximum suppression of poses: the best first, without those whose similarity to a better one exceeds `SAME`.

    The similarity is that of object keypoints, with the mean of both boxes' areas as scale.

    Args:
        instances: With keypoints of one skeleton, and a box each.
        sigmas: Fall-off per keypoint (COCO's, not doubled).
    """
    kept: list[Instance] = []
    for instance in sorted(instances, key=lambda one: -one.confidence):
        if all(_similarity(instance, other, sigmas) <= SAME for other in kept):
            kept.append(instance)
    return tuple(kept)


def _similarity(first: Instance, second: Instance, sigmas: Sequence[float]) -> float:
    if first.keypoints is None or second.keypoints is None or first.box is None or second.box is None:
        return 0.0
    area = (np.prod(box_size(first.box)) + np.prod(box_size(second.box))) / 2
    distances = ((first.keypoints.points - second.keypoints.points) ** 2).sum(1)
    known = np.isfinite(distances)
    if not known.any() or area <= 0:
        return 0.0
    variances = (2 * np.asarray(sigmas, dtype=np.float64)) ** 2
    return float(np.exp(-distances[known] / variances[known] / area / 2).mean())


def detected_prediction(
    sample: Sample, answers: Sequence[Prediction], scores: Sequence[float], sigmas: Sequence[float] | None
) -> Prediction:
    """One image's prediction from the answers to its detected boxes, ready for `coco-oks` and for COCO results.

    Args:
        sample: The image, with its own (true) instances.
        answers: One per box, as a run or a baseline gave them; () where the detector found nothing.
        scores: Of the boxes.
        sigmas: To leave out poses that nearly agree; None keeps all.
    """
    instances = [
        scored_by_box(instance, score)
        for answer, score in zip(answers, scores, strict=True)
        for instance in answer.instances
    ]
    kept = tuple(instances) if sigmas is None else distinct_poses(instances, sigmas)
    return Prediction(sample_key=sample.key, size=sample.size, instances=kept, group=sample.group)
