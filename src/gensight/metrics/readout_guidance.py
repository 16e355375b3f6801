"""`readout-guidance-2024`: PCK as the readout heads of Luo et al. (CVPR 2024) were scored, for old tables only."""

from collections.abc import Sequence

import numpy as np

from gensight.errors import ConfigError
from gensight.metrics.base import ImageMetric, Result, threshold_text
from gensight.metrics.bootstrap import make_result, mean_of_sums, sums_and_counts
from gensight.metrics.keypoints import matched_keypoints
from gensight.samples import Array, Item, Keypoints, Prediction
from gensight.skeletons import COCO_17, Skeleton
from gensight.transforms.keypoints import can_convert


class ReadoutGuidance2024(ImageMetric[Array]):
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
        super().__init__(thresholds, seed)
        if not can_convert(skeleton, COCO_17):
            raise ConfigError(f"`{self.protocol}` is defined for people only, not for `{skeleton.name}`")

    def measure(self, prediction: Prediction, item: Item) -> Array | None:
        _, truth, answer = matched_keypoints(prediction, item, COCO_17, self.protocol)
        if not truth.located.any():
            return None
        points = np.zeros_like(truth.points) if answer is None else _points_or_origin(answer)
        return _subject_errors(points, _points_or_origin(truth), truth.located)

    def result(self, measure: float) -> Result:
        images = self.images()
        sums = sums_and_counts([[float((errors < measure).mean()) for errors in of] for _, of in images])
        return make_result(
            f"{self.protocol}@{threshold_text(measure)}",
            statistics=sums,
            reduce=mean_of_sums,
            rows=[
                head | {"score": total / count, "num_subjects": int(count)}
                for (head, _), (total, count) in zip(images, sums.tolist(), strict=True)
            ],
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
