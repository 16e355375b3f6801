"""`readout-guidance-2024`: PCK as the readout heads of Luo et al. (CVPR 2024) were scored, for old tables only."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gensight.errors import ConfigError
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.metrics.keypoints import matched_keypoints
from gensight.metrics.thresholds import threshold_text
from gensight.samples import Array, Item, Keypoints, Prediction
from gensight.skeletons import COCO_17, Skeleton
from gensight.transforms.keypoints import can_convert


class ReadoutGuidance2024(Metric):
    """The released code's PCK, faults and all: its numbers can be compared with nothing else.

    On COCO's 17 keypoints, in COCO's coordinates of the whole image:

    - unlabelled joints sit at (0, 0) and count towards the subject's extent, so that a small person far from the
      image's corner is measured by its distance from there;
    - x and y distances are divided by the extent in x and in y, and a keypoint is correct where the length of that
      quotient is below the threshold (mmpose's function, fed with that extent);
    - a keypoint that the prediction does not show (`absent`, or without a point) is compared as if it were at (0, 0);
    - joints are averaged per subject, then subjects; a subject without extent in x or y scores 0.

    Raises:
        ConfigError: If the skeleton is neither COCO's nor OpenPose's.
    """

    protocol = "readout-guidance-2024"

    def __init__(self, skeleton: Skeleton, thresholds: Sequence[float] = (0.1,), seed: int = 0) -> None:
        self.thresholds, self.seed = tuple(thresholds), seed
        if not can_convert(skeleton, COCO_17):
            raise ConfigError(f"`{self.protocol}` is defined for people only, not for `{skeleton.name}`")
        self._errors: dict[str, dict[str, Array]] = {}
        self._groups: dict[str, str] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        _, truth, answer = matched_keypoints(prediction, item, COCO_17, self.protocol)
        if not truth.located.any():
            return
        points = np.zeros_like(truth.points) if answer is None else _points_or_origin(answer)
        errors = _subject_errors(points, _points_or_origin(truth), truth.located)
        self._errors.setdefault(item.sample.key, {})[item.key] = errors
        self._groups[item.sample.key] = item.sample.group

    def merge(self, other: Metric) -> None:
        assert isinstance(other, ReadoutGuidance2024), "only metrics of one class can be merged"
        for key, errors in other._errors.items():
            self._errors.setdefault(key, {}).update(errors)
        self._groups.update(other._groups)

    def compute(self) -> list[Result]:
        return [self._result(threshold) for threshold in self.thresholds]

    def _result(self, threshold: float) -> Result:
        keys = sorted(self._errors)
        per_image = [
            [float((errors < threshold).mean()) for _, errors in sorted(self._errors[key].items())] for key in keys
        ]
        rows: list[dict[str, Any]] = [
            {
                "sample_key": key,
                "group": self._groups[key],
                "score": sum(of) / len(of),
                "num_subjects": len(of),
            }
            for key, of in zip(keys, per_image, strict=True)
        ]
        return make_result(
            f"{self.protocol}@{threshold_text(threshold)}",
            statistics=np.array([[sum(scores), len(scores)] for scores in per_image], dtype=np.float64).reshape(-1, 2),
            reduce=_ratio,
            groups=[self._groups[key] for key in keys],
            rows=rows,
            higher_is_better=True,
            unit="%",
            notes=["faulty normaliser, for comparison with tables of 2024 only"],
            seed=self.seed,
        )


def _points_or_origin(keypoints: Keypoints) -> Array:
    known = keypoints.located & np.isfinite(keypoints.points).all(1)
    return np.where(known[:, None], keypoints.points - 0.5, 0.0)


def _subject_errors(points: Array, truth: Array, labelled: Array) -> Array:
    """Of each labelled joint, in extents of the subject; infinite for a subject without an extent in x or y."""
    extent = truth.max(0) - truth.min(0)
    if (extent == 0).any():
        return np.full(int(labelled.sum()), np.inf)
    distances: Array = np.linalg.norm((points - truth) / extent, axis=1)[labelled]
    return distances


def _ratio(sums: Array) -> Array:
    return sums[..., 0] / sums[..., 1]
