"""Gaze scores, by the name of the protocol: the definitions of this field differ, and move scores by points.

| protocol | area under the curve | predicted point |
|---|---|---|
| gazefollow | annotators' pixels, float map resized to the image | centre of the largest cell |
| chong | the same, map rounded to 8 bits before (scipy's imresize) | the cell's upper left corner |
| gazelle, tonini | annotators' pixels, float map resized to the image | the cell's upper left corner |
| sharingan | cells of the map's own grid, truncated from point x (side - 1) | the cell's lower right corner |
| video | a rectangle of 19 x 19 cells around the target, on the map's own grid | centre of the largest cell |
| chong-video | the same, map rounded to 8 bits before | the cell's upper left corner |
| gazelle-video | the rectangle without the map's last row and column | the cell's upper left corner |
| goo-5x5 | the target's cell of 5 x 5, map resized to that | the cell's upper left corner |

Distances are in shares of the image's width and height, as everybody in this field has them. The average distance is
that to the mean of the annotators. Scored are people whose target is in the image; `in-frame-ap` scores all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from gensight.encodings.gaze import map_name
from gensight.errors import DataError
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result, mean_of_sums, sums_and_counts
from gensight.metrics.gaze.auc import (
    Interpolation,
    auc_of_mask,
    auc_of_points,
    point_cells,
    rectangle,
    resized,
    whole_map,
)
from gensight.readers.goo.reader import GAZED
from gensight.samples import Array, Gaze, Item, Prediction, Size

Measure = Literal["auc", "average-distance", "minimum-distance", "average-angle", "minimum-angle", "pa", "cpa"]
Protocol = Literal[
    "gazefollow", "chong", "gazelle", "tonini", "sharingan", "video", "chong-video", "gazelle-video", "goo-5x5"
]
GOO_THRESHOLD = 0.1  # of PA and CPA
_GOO_GRID: Size = (5, 5)


@dataclass(frozen=True)
class Rules:
    """What a protocol counts.

    Attributes:
        positives: `pixels` of the image, `cells` of the map, a `rectangle` of cells, or a cell of `five` by five.
        interpolation: How maps are resized.
        corner: Where in the largest cell the predicted point lies, in cells from its upper left corner.
        last_included: See `gaze_auc.rectangle`.
        measures: What is reported.
    """

    positives: Literal["pixels", "cells", "rectangle", "five"]
    interpolation: Interpolation = "float"
    corner: float = 0.0
    last_included: bool = True
    measures: tuple[Measure, ...] = ("auc", "average-distance", "minimum-distance", "average-angle")


_VIDEO: tuple[Measure, ...] = ("auc", "average-distance")
PROTOCOLS: dict[Protocol, Rules] = {
    "gazefollow": Rules("pixels", corner=0.5),
    "chong": Rules("pixels", "uint8"),
    "gazelle": Rules("pixels"),
    "tonini": Rules(
        "pixels", measures=("auc", "average-distance", "minimum-distance", "average-angle", "minimum-angle")
    ),
    "sharingan": Rules("cells", corner=1.0),
    "video": Rules("rectangle", corner=0.5, measures=_VIDEO),
    "chong-video": Rules("rectangle", "uint8", measures=_VIDEO),
    "gazelle-video": Rules("rectangle", last_included=False, measures=_VIDEO),
    "goo-5x5": Rules("five", measures=("auc", "average-distance", "average-angle", "pa", "cpa")),
}


def person_scores(
    measures: Sequence[Measure], rules: Rules, prediction: Prediction, item: Item
) -> dict[Measure, float]:
    """One person's scores; NaN where a measure is not defined.

    Raises:
        DataError: If the prediction has no gaze map, or the item nobody with a target in the image.
    """
    name, subject = map_name(item), item.subject
    if name not in prediction.maps:
        raise DataError("the prediction has no gaze map", where=item.key)
    if subject is None or subject.gaze is None or not len(subject.gaze.points):
        raise DataError("the item has no target in the image", where=item.key)
    values = whole_map(prediction.maps[name])
    point = predicted_point(values, rules)
    scale = np.array(item.sample.size[::-1], dtype=np.float64)
    truth, eye = subject.gaze.points / scale, _eye(subject.gaze, subject.head_box)
    distance = float(np.linalg.norm(point - truth.mean(0)))
    found = np.full(1, np.nan) if eye is None else angles(point, truth, eye / scale)

    def score(measure: Measure) -> float:
        match measure:
            case "auc":
                return auc(values, truth, item.sample.size, rules)
            case "average-distance":
                return distance
            case "minimum-distance":
                return float(np.linalg.norm(point - truth, axis=1).min())
            case "average-angle":
                return float(found.mean())
            case "minimum-angle":
                return float(found.min())
            case "pa":
                return float(distance < GOO_THRESHOLD)
            case "cpa":
                return float(distance < GOO_THRESHOLD) * _right_class(point * scale, item)
            case _:
                assert_never(measure)

    return {measure: score(measure) for measure in measures}


def auc(values: Array, truth: Array, size: Size, rules: Rules) -> float:
    """Area under the curve of a map (grid) over an image of this size, targets (n, 2) as shares of its sides."""
    grid: Size = (values.shape[0], values.shape[1])
    match rules.positives:
        case "pixels":
            return auc_of_points(resized(values, size, rules.interpolation), point_cells(truth, size))
        case "cells":
            cells = (truth * (np.array(grid[::-1]) - 1)).astype(np.int64)
            return auc_of_points(values, np.clip(cells, 0, np.array(grid[::-1]) - 1))
        case "rectangle":
            shown = resized(values, grid, rules.interpolation)
            return auc_of_mask(shown, rectangle(truth.mean(0), grid, rules.last_included))
        case "five":
            return auc_of_points(resized(values, _GOO_GRID), point_cells(truth.mean(0, keepdims=True), _GOO_GRID))
        case _:
            assert_never(rules.positives)


def predicted_point(values: Array, rules: Rules) -> Array:
    """float64 (2,): (x, y) as shares of the image, from the first largest cell in reading order."""
    row, column = np.unravel_index(int(np.argmax(values)), values.shape)
    return (np.array([column, row]) + rules.corner) / np.array(values.shape[::-1])


def angles(point: Array, truth: Array, eye: Array) -> Array:
    """float64 (n,): degrees between the predicted and each true direction from the eye; NaN where one has no length."""
    ours, theirs = point - eye, truth - eye
    lengths = np.linalg.norm(ours) * np.linalg.norm(theirs, axis=1)
    cosine = np.divide(theirs @ ours, lengths, out=np.full(len(truth), np.nan), where=lengths > 0)
    found: Array = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return found


def _eye(gaze: Gaze, head_box: Array | None) -> Array | None:
    if gaze.eye is not None:
        return gaze.eye
    return None if head_box is None else (head_box[:2] + head_box[2:]) / 2


def _right_class(point: Array, item: Item) -> float:
    """1 where the object whose box centre is nearest is of the target class; NaN where it is not labelled."""
    instances, gazed = item.sample.instances or (), item.sample.extras.get(GAZED)
    objects = [one for one in instances if one.box is not None and one.gaze is None]
    if gazed is None or not objects:
        return float("nan")
    centres = np.array([(one.box[:2] + one.box[2:]) / 2 for one in objects if one.box is not None])
    nearest = objects[int(np.argmin(np.linalg.norm(centres - point, axis=1)))]
    return float(nearest.category == instances[gazed].category)


class GazeScores(ImageMetric[dict[Measure, float]]):
    """The mean over people of each measure of one protocol, a result each; images are what is resampled.

    Args:
        protocol: Of `PROTOCOLS`.
        measures: What is reported; None: what the protocol reports.
        seed: Seeds the bootstrap.
        subset: What part of the test set is scored; stands in the results' names.
    """

    def __init__(
        self, protocol: Protocol, measures: Sequence[Measure] | None = None, seed: int = 0, subset: str = ""
    ) -> None:
        self.rules, self.subset = PROTOCOLS[protocol], subset
        super().__init__(self.rules.measures if measures is None else measures, seed)
        self.protocol: Protocol = protocol

    def measure(self, prediction: Prediction, item: Item) -> dict[Measure, float] | str:
        gaze = None if item.subject is None else item.subject.gaze
        if gaze is None or not len(gaze.points):
            return "people look out of the image, and are not scored"
        return person_scores(self.measures, self.rules, prediction, item)

    def result(self, measure: Measure) -> Result:
        """Of the people of whom the measure is defined."""
        known = [(head, [one[measure] for one in of if np.isfinite(one[measure])]) for head, of in self.images()]
        known = [(head, scores) for head, scores in known if scores]
        statistics = sums_and_counts([scores for _, scores in known])
        notes = [f"{statistics[:, 1].sum():.0f} people were scored"] if known else []
        threshold = f"@{GOO_THRESHOLD:.2f}" if measure in ("pa", "cpa") else ""
        return make_result(
            f"{self.protocol}-{measure}{threshold}" + (f" ({self.subset})" if self.subset else ""),
            statistics=statistics,
            reduce=mean_of_sums,
            rows=[head | {"score": float(np.mean(scores)), "num_people": len(scores)} for head, scores in known],
            higher_is_better=measure in ("auc", "pa", "cpa"),
            unit="°" if measure.endswith("angle") else "%",
            notes=notes + self.skip_notes(),
            seed=self.seed,
        )


class InFrameAp(ImageMetric[tuple[float, bool]]):
    """Average precision of "the target is in the image" over everybody, pooled once; in is the positive class.

    Averages over batches, as some codes have it, are another number. Chance is the share of people who look into the
    image. NaN where all of them do, or none.
    """

    def __init__(self, seed: int = 0, subset: str = "") -> None:
        super().__init__(seed=seed)
        self.protocol = "in-frame-ap" + (f" ({subset})" if subset else "")

    def measure(self, prediction: Prediction, item: Item) -> tuple[float, bool] | None:
        """The predicted probability, and the truth. DataError where nothing is predicted."""
        truth = None if item.subject is None or item.subject.gaze is None else item.subject.gaze.in_frame
        answer = prediction.instances[0].gaze if prediction.instances else None
        if truth is None:
            return None
        if answer is None or answer.in_frame_probability is None:
            raise DataError("the prediction does not say whether the target is in the image", where=item.key)
        return answer.in_frame_probability, bool(truth)

    def result(self, measure: str) -> Result:
        images = self.images()
        flat = np.array([one for _, people in images for one in people], dtype=np.float64).reshape(-1, 2)
        owners = np.repeat(np.arange(len(images)), [len(people) for _, people in images])
        notes = [f"{len(flat)} people, {flat[:, 1].mean():.1%} of them look into the image (chance)"] if images else []
        return make_result(
            self.protocol,
            reweigh=_Precision(owners, flat[:, 0], flat[:, 1]),
            rows=[
                head | {"score": float(np.mean([abs(p - (not t)) for p, t in people])), "num_people": len(people)}
                for head, people in images
            ],
            higher_is_better=True,
            unit="%",
            notes=notes,
            seed=self.seed,
            num_resamples=2_000,
        )


class _Precision:
    """Image weights (resamples, num_images) -> average precision (resamples,)."""

    def __init__(self, images: Array, scores: Array, truths: Array) -> None:
        order = np.argsort(-scores, kind="stable")
        self.images, self.truths = images[order], truths[order]
        sorted_scores = scores[order]
        self.ends = np.flatnonzero(np.append(sorted_scores[1:] != sorted_scores[:-1], True)) if len(order) else order

    def __call__(self, weights: Array) -> Array:
        each = weights[:, self.images]
        right, all_ = np.cumsum(each * self.truths, axis=1)[:, self.ends], np.cumsum(each, axis=1)[:, self.ends]
        precision = np.divide(right, all_, out=np.zeros_like(right), where=all_ > 0)
        steps = np.diff(right, axis=1, prepend=0.0)
        positives, total = right[:, -1], all_[:, -1]
        sums = (precision * steps).sum(1)
        known = (positives > 0) & (positives < total)
        return np.divide(sums, positives, out=np.full(len(weights), np.nan), where=known)
