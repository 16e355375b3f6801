"""Keypoint scores of single subjects: the share of correct keypoints (PCK) and errors in pixels.

All of them compare a prediction's first instance with the item's subject, in the image frame, over the keypoints that
are labelled in the ground truth (`occluded` or `visible`). A predicted point counts wherever it is finite, however
unsure the prediction is; a labelled keypoint without a predicted point counts as wrong (PCK), or costs the image's
diagonal (pixels), so abstaining never pays.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.geometry import box_size
from gensight.metrics.base import ImageMetric, Result, threshold_text
from gensight.metrics.bootstrap import make_result, mean_of_known, mean_of_sums, ratio
from gensight.samples import Array, Instance, Item, Keypoints, Prediction
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import convert_keypoints

_CHUNK = 100_000  # weights of single errors held at a time: few enough for the processor's cache


@dataclass(frozen=True, eq=False)
class Answer:
    """What was measured on one item.

    Attributes:
        distances: float64 (K,) px; NaN where unlabelled, infinite where nothing was predicted.
        scale: What distances are divided by, in px.
        missing_cost: What a missing point costs in px: the image's diagonal.
    """

    distances: Array
    scale: float
    missing_cost: float


def matched_keypoints(
    prediction: Prediction, item: Item, skeleton: Skeleton, protocol: str
) -> tuple[Instance, Keypoints, Keypoints | None]:
    """The item's subject, its keypoints, and the keypoints that answer them (None if nothing was predicted).

    Raises:
        DataError: If the item is not about a subject with keypoints.
        ConfigError: If either has keypoints of another body than `skeleton`.
    """
    subject = item.subject
    if subject is None or subject.keypoints is None:
        raise DataError(f"`{protocol}` needs items about one subject with keypoints", where=item.key)
    predicted = prediction.instances[0].keypoints if prediction.instances else None
    answer = None if predicted is None else convert_keypoints(predicted, skeleton)
    return subject, convert_keypoints(subject.keypoints, skeleton), answer


class KeypointMetric(ImageMetric[Answer]):
    """Collects the distances of labelled keypoints, per image. Items without a labelled keypoint are left out.

    Args:
        skeleton: The keypoints that are scored.
        measures: As in `ImageMetric`.
        seed: Seeds the bootstrap.
    """

    _lacks: str = ""  # what keeps a subject from being scored

    def __init__(self, skeleton: Skeleton, measures: Sequence[Any] | None = None, seed: int = 0) -> None:
        super().__init__(measures, seed)
        self.skeleton = skeleton

    def measure(self, prediction: Prediction, item: Item) -> Answer | str | None:
        subject, truth, answer = matched_keypoints(prediction, item, self.skeleton, self.protocol)
        if not truth.located.any():
            return None
        scale = self._scale(subject, truth)
        if not scale > 0:
            return f"subjects could not be scored: {self._lacks}"
        points = np.full(truth.points.shape, np.nan) if answer is None else answer.points
        distances = np.linalg.norm(points - truth.points, axis=1)
        distances[~np.isfinite(distances)] = np.inf
        distances[~truth.located] = np.nan
        return Answer(distances, scale, float(np.hypot(*item.sample.size)))

    @abstractmethod
    def _scale(self, subject: Instance, truth: Keypoints) -> float:
        """What distances are divided by; 0 or NaN if this subject cannot be scored."""

    def _row(self, head: dict[str, Any], answers: list[Answer], score: float) -> dict[str, Any]:
        distances = np.stack([answer.distances for answer in answers])
        counts = {
            "num_keypoints": int((~np.isnan(distances)).sum()),
            "num_missing": int(np.isinf(distances).sum()),
        }
        return head | {"score": score} | counts

    def _notes(self, rows: list[dict[str, Any]], parts: dict[str, float]) -> list[str]:
        num_missing = sum(row["num_missing"] for row in rows)
        notes = [f"{num_missing} labelled keypoints had no predicted point"] if num_missing else []
        unlabelled = [name for name, value in parts.items() if np.isnan(value)]
        if 0 < len(unlabelled) < len(parts):
            scored = len(parts) - len(unlabelled)
            notes.append(f"over {scored} of {len(parts)} keypoints: {', '.join(unlabelled)} without a label")
        return notes + self.skip_notes()


class Pck(KeypointMetric):
    """Percentage of correct keypoints: within a threshold times a length of the subject, averaged over joints.

    Per joint the share of labelled keypoints that are correct, then the mean over joints (Yang and Ramanan,
    "Articulated human detection with flexible mixtures of parts", TPAMI 2013, section 6.2). The length is

    - `box`: the longer side of the subject's box;
    - `torso`: the distance from the left shoulder to the right hip;
    - `head`: 0.6 times the diagonal of the head box, as MPII's PCKh (Andriluka et al., CVPR 2014).

    Subjects whose length is unknown (no box, no head box, a torso joint unlabelled) are left out and counted in the
    results' notes. There is one result for each threshold.

    Raises:
        ConfigError: If the skeleton lacks the torso's joints, or a threshold is not positive.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        length: Literal["box", "torso", "head"] = "box",
        thresholds: Sequence[float] = (0.1,),
        seed: int = 0,
    ) -> None:
        super().__init__(skeleton, thresholds, seed)
        self.protocol = "pckh" if length == "head" else f"pck-{length}"
        self.length = length
        for threshold in thresholds:
            if not threshold > 0:
                raise ConfigError(f"the threshold of `{self.protocol}` must be positive, got {threshold}")
        self._torso: tuple[int, int] = (-1, -1)
        match length:
            case "box":
                self._lacks = "they have no box"
            case "head":
                self._lacks = "they have no head box"
            case "torso":
                self._lacks = "left shoulder or right hip is unlabelled"
                if not {"left_shoulder", "right_hip"} <= set(skeleton.keypoints):
                    raise ConfigError(
                        f"`pck-torso` needs the keypoints left_shoulder and right_hip, which `{skeleton.name}` lacks",
                        choices=skeleton.keypoints,
                        hint="use pck-box",
                    )
                self._torso = (skeleton.keypoints.index("left_shoulder"), skeleton.keypoints.index("right_hip"))
            case _:
                assert_never(length)

    def _scale(self, subject: Instance, truth: Keypoints) -> float:
        if self.length == "torso":
            shoulder, hip = self._torso
            if not truth.located[[shoulder, hip]].all():
                return 0.0
            return float(np.linalg.norm(truth.points[shoulder] - truth.points[hip]))
        if self.length == "head":
            return 0.0 if subject.head_box is None else 0.6 * float(np.hypot(*box_size(subject.head_box)))
        return 0.0 if subject.box is None else max(box_size(subject.box))

    def _name(self, threshold: float) -> str:
        return f"{self.protocol}@{threshold_text(threshold)}"

    def result(self, measure: float) -> Result:
        images = self.images()
        statistics = np.zeros((len(images), 2 * len(self.skeleton)))
        rows = []
        for sums, (head, answers) in zip(statistics, images, strict=True):
            distances = np.stack([answer.distances / answer.scale for answer in answers])
            correct, labelled = (distances <= measure).sum(0), (~np.isnan(distances)).sum(0)
            sums[:] = np.concatenate([correct, labelled])
            rows.append(self._row(head, answers, float(correct.sum() / labelled.sum())))
        per_joint = share_per_joint(statistics.sum(0))
        parts = dict(zip(self.skeleton.keypoints, per_joint.tolist(), strict=True))
        return make_result(
            self._name(measure),
            statistics=statistics,
            reduce=mean_over_joints,
            rows=rows,
            higher_is_better=True,
            unit="%",
            parts=parts,
            notes=self._notes(rows, parts),
            seed=self.seed,
        )


class BbcAccuracy(Pck):
    """`bbc-6px`: joints within 6 px, once both places are mapped by 0.5 (x - 1) + 1 to half the frames' scale.

    So a joint is right within 12 px of the frame. The mean over joints of each one's share; the published mean over
    joints and frames where every joint is labelled, as it is there (Charles et al., IJCV 2014, section 6).
    """

    def __init__(self, skeleton: Skeleton, seed: int = 0) -> None:
        super().__init__(skeleton, "box", (6.0,), seed)
        self.protocol = "bbc-6px"

    def _scale(self, subject: Instance, truth: Keypoints) -> float:
        return 2.0

    def _name(self, threshold: float) -> str:
        return self.protocol


class PixelError(KeypointMetric):
    """Distance in image pixels between predicted and labelled keypoints, over all of them together.

    - `mean-px`: the mean Euclidean distance. DeepLabCut reports this number under the name RMSE.
    - `rmse-px`: the root of the mean squared distance, which outliers dominate.
    - `median-px`: the median distance.

    `parts` has the same per keypoint, and each row the single errors by keypoint, in px.
    """

    unit = "px"

    def __init__(self, skeleton: Skeleton, average: Literal["mean", "rmse", "median"] = "mean", seed: int = 0) -> None:
        super().__init__(skeleton, seed=seed)
        self.average, self.protocol = average, f"{average}-px"

    def _scale(self, subject: Instance, truth: Keypoints) -> float:
        return 1.0

    def result(self, measure: str) -> Result:
        images = self.images()
        errors = [
            np.stack([np.where(np.isinf(a.distances), a.missing_cost, a.distances) / a.scale for a in answers])
            for _, answers in images
        ]
        rows = [
            self._row(head, answers, self._average(of)) | {"errors": self._errors(of)}
            for (head, answers), of in zip(images, errors, strict=True)
        ]
        together = np.concatenate(errors) if errors else np.zeros((0, len(self.skeleton)))
        parts = {name: self._average(together[:, k]) for k, name in enumerate(self.skeleton.keypoints)}
        statistics, reduce, reweigh = None, None, None
        match self.average:
            case "mean":
                statistics, reduce = error_sums(errors, power=1), mean_of_sums
            case "rmse":
                statistics, reduce = error_sums(errors, power=2), root_mean_of_sums
            case "median":
                reweigh = weighted_median([of[~np.isnan(of)] for of in errors])
            case _:
                assert_never(self.average)
        return make_result(
            self.protocol,
            statistics=statistics,
            reduce=reduce,
            reweigh=reweigh,
            rows=rows,
            higher_is_better=False,
            unit=self.unit,
            parts=parts,
            notes=self._notes(rows, parts),
            seed=self.seed,
        )

    def _average(self, errors: Array) -> float:
        errors = errors[~np.isnan(errors)]
        if len(errors) == 0:
            return float("nan")
        if self.average == "median":
            return float(np.median(errors))
        return float(np.mean(errors)) if self.average == "mean" else float(np.sqrt(np.mean(errors**2)))

    def _errors(self, errors: Array) -> dict[str, list[float]]:
        """Keypoint name -> the errors of the image's subjects, unlabelled ones left out."""
        columns = zip(self.skeleton.keypoints, errors.T, strict=True)
        return {name: column[~np.isnan(column)].tolist() for name, column in columns if not np.isnan(column).all()}


class InterOcularError(PixelError):
    """`nme-inter-ocular`: the mean distance between predicted and labelled points over the distance between the eyes.

    The distance is that of the outer corners of the eyes (300-W's, Sagonas et al., 2016), or of the eyes themselves
    where each is one point. The published mean over points, then over images (Jakab et al., "IMM", NeurIPS 2018,
    section 4), where every point is labelled. Faces one of whose eyes is unlabelled are left out and counted.

    Raises:
        ConfigError: If the skeleton has no eyes.
    """

    unit = "%"
    _lacks = "one of their eyes is unlabelled"

    def __init__(self, skeleton: Skeleton, seed: int = 0) -> None:
        super().__init__(skeleton, "mean", seed)
        self.protocol = "nme-inter-ocular"
        pairs = [[f"{side}_eye{part}" for side in ("left", "right")] for part in ("_outer", "")]
        pair = next((pair for pair in pairs if set(pair) <= set(skeleton.keypoints)), None)
        if pair is None:
            raise ConfigError(
                f"`{self.protocol}` needs the keypoints left_eye and right_eye, or their outer corners "
                f"left_eye_outer and right_eye_outer, which `{skeleton.name}` lacks",
                choices=skeleton.keypoints,
                hint="use mean-px",
            )
        self._eyes = [skeleton.keypoints.index(name) for name in pair]

    def _scale(self, subject: Instance, truth: Keypoints) -> float:
        left, right = truth.points[self._eyes]
        return float(np.linalg.norm(left - right)) if truth.located[self._eyes].all() else 0.0


def share_per_joint(sums: Array) -> Array:
    """(..., 2 K) sums of correct and of labelled keypoints -> (..., K) shares, NaN where nothing is labelled."""
    return ratio(*np.split(sums, 2, axis=-1))


def mean_over_joints(sums: Array) -> Array:
    """(..., 2 K) sums of correct and of labelled keypoints -> (...,) mean share over the joints with labels."""
    return mean_of_known(share_per_joint(sums))


def error_sums(errors: list[Array], power: int) -> Array:
    """float64 (num_images, 2): the sum of errors to a power, and how many there are."""
    return np.array([[np.nansum(of**power), (~np.isnan(of)).sum()] for of in errors], dtype=np.float64).reshape(-1, 2)


def root_mean_of_sums(sums: Array) -> Array:
    """(..., 2) sums of squares and counts -> (...,) roots of the means."""
    return np.sqrt(mean_of_sums(sums))


def weighted_median(errors: list[Array]) -> Callable[[Array], Array]:
    """A function from image weights (resamples, num_images), whole numbers, to the median of all errors, weighted.

    Equal to `np.median` of the errors repeated by their image's weight.

    Args:
        errors: Per image the errors in it, in any order.
    """
    values = np.concatenate(errors) if errors else np.zeros(0)
    images = np.repeat(np.arange(len(errors)), [len(of) for of in errors])
    order = np.argsort(values, kind="stable")
    values, images = values[order], images[order]

    def median(weights: Array) -> Array:
        result = np.full(len(weights), np.nan)
        rows = max(1, _CHUNK // max(1, len(values)))
        for start in range(0, len(weights), rows):
            for row, counts in enumerate(np.cumsum(weights[start : start + rows, images], axis=1), start):
                if len(counts) == 0 or counts[-1] == 0:
                    continue
                # The two middle places of the repeated list; they are the same where its length is odd.
                places = np.searchsorted(counts, [(counts[-1] - 1) // 2, counts[-1] // 2], side="right")
                result[row] = values[places].mean()
        return result

    return median
