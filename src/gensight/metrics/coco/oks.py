"""`coco-oks`: average precision over object keypoint similarity, with COCOeval's matching to the last digit.

Similarity, areas, `iscrowd` and at most 20 detections per image are those of pycocotools (Lin et al., "Microsoft
COCO", ECCV 2014; cocodataset.org, "Keypoint evaluation"); a test holds the numbers equal to 1e-6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.geometry import box_size
from gensight.metrics.base import Result
from gensight.metrics.coco.average_precision import ApMetric, Detection, parts_by_area
from gensight.metrics.coco.matching import Matches, Scored, Table, build_table, match_image
from gensight.samples import Array, Instance, Keypoints, Prediction, Sample
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import can_convert, convert_keypoints

AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MAX_DETECTIONS = 20
_EPSILON = float(np.spacing(1))


@dataclass(frozen=True, eq=False)
class _Truth:
    """One ground-truth instance, in COCO's coordinates (pixel centres are whole numbers)."""

    points: Array  # (K, 2), zero where unlabelled
    labelled: Array  # bool (K,)
    box: Array  # (4,) edges
    area: float
    is_crowd: bool
    area_of_box: bool = False  # where the segment's is unknown

    @property
    def ignored(self) -> bool:
        return self.is_crowd or not self.labelled.any()


@dataclass(frozen=True, eq=False)
class _Detection(Detection):
    points: Array  # (K, 2), zero where nothing was predicted

    @property
    def area(self) -> float:
        """The extent of all points, as pycocotools takes it when it loads results."""
        width, height = self.points.max(0) - self.points.min(0)
        return float(width * height)


class CocoOks(ApMetric[_Detection, _Truth]):
    """COCO's keypoint average precision: `value` is AP; `parts` has AP, AP50, AP75, APm, APl, AR and their like.

    Predictions are collected per image and compared with all instances of the item's sample, so that crowds and
    people without labelled keypoints are honoured. An image on which a detector found nothing needs a
    prediction without instances. Subjects of all categories are one class; those of another body (an animal where
    people are scored) are left out. Where the segment's area is unknown, the box's is taken and a note says so.

    A row's `score` is the mean similarity, over the image's counted subjects, of what was matched to each at 0.5.

    Args:
        skeleton: The keypoints that are scored.
        sigmas: Fall-off per keypoint; the skeleton's own if None.
        seed: Seeds the bootstrap.

    Raises:
        ConfigError: If there are no sigmas, or not one per keypoint.
    """

    protocol = "coco-oks"

    def __init__(self, skeleton: Skeleton, sigmas: Sequence[float] | None = None, seed: int = 0) -> None:
        sigmas = skeleton.sigmas if sigmas is None else sigmas
        if sigmas is None:
            raise ConfigError(
                f"`coco-oks` needs a fall-off (sigma) per keypoint, which nobody measured for `{skeleton.name}`",
                where="evaluation.sigmas",
                hint="set evaluation.sigmas=0.05 (one for all keypoints) or a list of one for each (COCO's lie between "
                "0.025, eyes, and 0.107, hips); or score with pck-box, mean-px or median-px",
            )
        if len(sigmas) != len(skeleton) or min(sigmas) <= 0:
            raise ConfigError(f"`coco-oks` needs one positive sigma per keypoint: {len(skeleton)}, got {len(sigmas)}")
        super().__init__(seed)
        self.skeleton = skeleton
        self._variances = (np.asarray(sigmas, dtype=np.float64) * 2) ** 2

    def truths(self, sample: Sample) -> list[_Truth]:
        return [self._truth(instance, sample.key) for instance in sample.instances or () if self._counts(instance)]

    def found(self, prediction: Prediction) -> list[_Detection]:
        return [
            _Detection(float(instance.confidence), coco_points(convert_keypoints(instance.keypoints, self.skeleton))[0])
            for instance in prediction.instances
            if instance.keypoints is not None
        ]

    def result(self, measure: str) -> Result:
        images = self.detections()
        scored = [_scored(found, truths, self._variances) for _, found, truths in images]
        matches = {area: [match_image(of, limits) for of in scored] for area, limits in AREAS.items()}
        tables = {area: build_table(of) for area, of in matches.items()}
        precision, recall = (
            {area: of(table)[None] for area, table in tables.items()}
            for of in (Table.whole_precision, Table.whole_recall)
        )
        rows = [_row(head, of) for (head, _, _), of in zip(images, matches["all"], strict=True)]
        parts = parts_by_area("AP", precision) | parts_by_area("AR", recall)
        return self.ap_result(lambda weights: tables["all"].average_precision(weights).mean(1), parts, rows)

    def skip_notes(self) -> list[str]:
        num = sum(truth.area_of_box for truths in self._truths.values() for truth in truths)
        return [f"area by the box for {num} subjects without a segment"] if num else []

    def _counts(self, instance: Instance) -> bool:
        return instance.keypoints is None or can_convert(instance.keypoints.skeleton, self.skeleton)

    def _truth(self, instance: Instance, key: str) -> _Truth:
        area = instance.area
        if instance.keypoints is None:
            points, labelled = np.zeros((len(self.skeleton), 2)), np.zeros(len(self.skeleton), dtype=bool)
        else:
            keypoints = convert_keypoints(instance.keypoints, self.skeleton)
            points, labelled = coco_points(keypoints)[0], keypoints.located
        if instance.box is None and (area is None or not labelled.any()):
            raise DataError("`coco-oks` needs the box or the area of every subject", where=key, hint="use pck or px")
        box = np.zeros(4) if instance.box is None else np.asarray(instance.box, dtype=np.float64)
        if area is None:
            return _Truth(points, labelled, box, float(np.prod(box_size(box))), instance.is_crowd, area_of_box=True)
        return _Truth(points, labelled, box, area, instance.is_crowd)


def coco_points(keypoints: Keypoints) -> tuple[Array, Array]:
    """float64 (K, 2) in COCO's coordinates (half a pixel less than ours), and bool (K,) where there is a point.

    Points that are unknown lie at (0, 0), as in COCO's files.
    """
    known = np.isfinite(keypoints.points[:, 0]) & np.isfinite(keypoints.points[:, 1])
    return np.where(known[:, None], keypoints.points - 0.5, 0.0), known


def similarity(detections: Sequence[_Detection], truths: Sequence[_Truth], variances: Array) -> Array:
    """Object keypoint similarity, float64 (D, G).

    Without a labelled keypoint, distances are measured from the ground truth's box, grown by its size on every side.
    """
    result = np.zeros((len(detections), len(truths)))
    if not len(detections):
        return result
    points = np.stack([detection.points for detection in detections])
    for column, truth in enumerate(truths):
        if truth.labelled.any():
            offsets, counted = points - truth.points, truth.labelled
        else:
            size = truth.box[2:] - truth.box[:2]
            low, high = truth.box[:2] - size, truth.box[:2] + 2 * size
            offsets = np.maximum(0, low - points) + np.maximum(0, points - high)
            counted = np.ones(len(variances), dtype=bool)
        exponents = (offsets**2).sum(2) / variances / (truth.area + _EPSILON) / 2
        result[:, column] = np.exp(-exponents[:, counted]).sum(1) / counted.sum()
    return result


def _scored(found: Sequence[_Detection], truths: Sequence[_Truth], variances: Array) -> Scored:
    found = found[:MAX_DETECTIONS]
    return Scored(
        similarities=similarity(found, truths, variances),
        scores=np.array([detection.score for detection in found], dtype=np.float64),
        areas=np.array([detection.area for detection in found], dtype=np.float64),
        truth_areas=np.array([truth.area for truth in truths], dtype=np.float64),
        truth_ignored=np.array([truth.ignored for truth in truths], dtype=bool),
        truth_crowds=np.array([truth.is_crowd for truth in truths], dtype=bool),
    )


def _row(head: dict[str, Any], matches: Matches) -> dict[str, Any]:
    return head | {
        "score": float(np.mean(matches.best)) if matches.best else None,
        "num_truths": len(matches.best),
        "num_detections": len(matches.scores),
        "num_found": int(matches.hits[0].sum()),
    }
