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
from gensight.errors import ConfigError, DataError
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.metrics.correspondence import check_answer
from gensight.metrics.gaze.auc import (
    Interpolation,
    auc_of_mask,
    auc_of_points,
    point_cells,
    rectangle,
    resized,
    whole_map,
)
from gensight.metrics.keypoints import mean_of_sums
from gensight.readers.goo.reader import GAZED
from gensight.samples import Array, Gaze, Item, Prediction, Size

Measure = Literal["auc", "average-distance", "minimum-distance", "average-angle", "minimum-angle", "pa", "cpa"]
IN_FRAME_AP = "in-frame-ap"
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
PROTOCOLS = {
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


def gaze_metric(protocol: str, seed: int = 0, subset: str = "") -> Metric:
    """A fresh metric of a protocol, or of `in-frame-ap`; `subset` names what part of the test set is scored.

    Raises ConfigError for an unknown name.
    """
    if protocol == IN_FRAME_AP:
        return InFrameAp(seed, subset)
    if protocol not in PROTOCOLS:
        raise ConfigError(f"no gaze protocol is called `{protocol}`", choices=[*PROTOCOLS, IN_FRAME_AP])
    return GazeScores(protocol, None, seed, subset)


def person_score(measure: Measure, rules: Rules, prediction: Prediction, item: Item) -> float:
    """One person's score; NaN where it is not defined.

    Raises:
        DataError: If the prediction has no gaze map, or the item nobody with a target in the image.
    """
    name, subject = map_name(item), item.subject
    if name not in prediction.maps:
        raise DataError("the prediction has no gaze map", where=item.key)
    if subject is None or subject.gaze is None or not len(subject.gaze.points):
        raise DataError("the item has no target in the image", where=item.key)
    values = whole_map(prediction.maps[name])
    scale = np.array(item.sample.size[::-1], dtype=np.float64)
    truth = subject.gaze.points / scale
    if measure == "auc":
        return auc(values, truth, item.sample.size, rules)
    point = predicted_point(values, rules)
    match measure:
        case "average-distance":
            return float(np.linalg.norm(point - truth.mean(0)))
        case "minimum-distance":
            return float(np.linalg.norm(point - truth, axis=1).min())
        case "average-angle" | "minimum-angle":
            eye = _eye(subject.gaze, subject.head_box)
            if eye is None:
                return float("nan")
            found = angles(point, truth, eye / scale)
            return float(found.mean() if measure == "average-angle" else found.min())
        case "pa":
            return float(np.linalg.norm(point - truth.mean(0)) < GOO_THRESHOLD)
        case "cpa":
            near = float(np.linalg.norm(point - truth.mean(0)) < GOO_THRESHOLD)
            return near * _right_class(point * scale, item)
        case _:
            assert_never(measure)


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


class GazeScores(Metric):
    """The mean over people of each measure of one protocol, a result each; images are what is resampled.

    Args:
        protocol: Of `PROTOCOLS`.
        measures: What is reported; None: what the protocol reports.
        seed: Seeds the bootstrap.
        subset: What part of the test set is scored; stands in the results' names.
    """

    def __init__(
        self, protocol: str, measures: Sequence[Measure] | None = None, seed: int = 0, subset: str = ""
    ) -> None:
        self.protocol, self.rules, self.seed, self.subset = protocol, PROTOCOLS[protocol], seed, subset
        self.measures = self.rules.measures if measures is None else tuple(measures)
        self._scores: dict[str, dict[str, dict[Measure, float]]] = {}
        self._groups: dict[str, str] = {}
        self._outside: set[str] = set()

    def update(self, prediction: Prediction, item: Item) -> None:
        check_answer(prediction, item)
        gaze = None if item.subject is None else item.subject.gaze
        if gaze is None or not len(gaze.points):
            self._outside.add(item.key)
            return
        scores = {measure: person_score(measure, self.rules, prediction, item) for measure in self.measures}
        self._groups[item.sample.key] = item.sample.group
        self._scores.setdefault(item.sample.key, {})[item.key] = scores

    def merge(self, other: Metric) -> None:
        assert isinstance(other, GazeScores), "only metrics of one class can be merged"
        for key, scores in other._scores.items():
            self._scores.setdefault(key, {}).update(scores)
        self._groups.update(other._groups)
        self._outside |= other._outside

    def compute(self) -> list[Result]:
        return [self._result(measure) for measure in self.measures]

    def _result(self, measure: Measure) -> Result:
        """Of the people of whom the measure is defined."""
        known = {
            key: [of[measure] for _, of in sorted(people.items()) if np.isfinite(of[measure])]
            for key, people in self._scores.items()
        }
        keys = sorted(key for key, scores in known.items() if scores)
        people = [known[key] for key in keys]
        statistics = np.array([[sum(scores), len(scores)] for scores in people], dtype=np.float64).reshape(-1, 2)
        notes = [f"{sum(map(len, people))} people were scored"] if keys else []
        if self._outside:
            notes.append(f"{len(self._outside)} people look out of the image, and are not scored")
        threshold = f"@{GOO_THRESHOLD:.2f}" if measure in ("pa", "cpa") else ""
        return make_result(
            f"{self.protocol}-{measure}{threshold}" + (f" ({self.subset})" if self.subset else ""),
            statistics=statistics,
            reduce=mean_of_sums,
            groups=[self._groups[key] for key in keys],
            rows=[
                {
                    "sample_key": key,
                    "group": self._groups[key],
                    "score": float(np.mean(scores)),
                    "num_people": len(scores),
                }
                for key, scores in zip(keys, people, strict=True)
            ],
            higher_is_better=measure in ("auc", "pa", "cpa"),
            unit="°" if measure.endswith("angle") else "%",
            notes=notes,
            seed=self.seed,
        )


class InFrameAp(Metric):
    """Average precision of "the target is in the image" over everybody, pooled once; in is the positive class.

    Averages over batches, as some codes have it, are another number. Chance is the share of people who look into the
    image. NaN where all of them do, or none.
    """

    def __init__(self, seed: int = 0, subset: str = "") -> None:
        self.seed, self.protocol = seed, IN_FRAME_AP + (f" ({subset})" if subset else "")
        self._people: dict[str, dict[str, tuple[float, bool]]] = {}
        self._groups: dict[str, str] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        check_answer(prediction, item)
        truth = None if item.subject is None or item.subject.gaze is None else item.subject.gaze.in_frame
        answer = prediction.instances[0].gaze if prediction.instances else None
        if truth is None:
            return
        if answer is None or answer.in_frame_probability is None:
            raise DataError("the prediction does not say whether the target is in the image", where=item.key)
        self._groups[item.sample.key] = item.sample.group
        people = self._people.setdefault(item.sample.key, {})
        people[item.key] = (answer.in_frame_probability, bool(truth))

    def merge(self, other: Metric) -> None:
        assert isinstance(other, InFrameAp), "only metrics of one class can be merged"
        for key, people in other._people.items():
            self._people.setdefault(key, {}).update(people)
        self._groups.update(other._groups)

    def compute(self) -> list[Result]:
        keys = sorted(self._people)
        flat = [(place, *one) for place, key in enumerate(keys) for _, one in sorted(self._people[key].items())]
        images = np.array([place for place, _, _ in flat], dtype=np.int64)
        scores = np.array([score for _, score, _ in flat])
        truths = np.array([truth for _, _, truth in flat], dtype=bool)
        prevalence = float(truths.mean()) if len(truths) else float("nan")
        result = make_result(
            self.protocol,
            reweigh=_Precision(images, scores, truths),
            groups=[self._groups[key] for key in keys],
            rows=[
                {
                    "sample_key": key,
                    "group": self._groups[key],
                    "score": float(np.mean([abs(p - (not t)) for p, t in self._people[key].values()])),
                    "num_people": len(self._people[key]),
                }
                for key in keys
            ],
            higher_is_better=True,
            unit="%",
            notes=[f"{len(flat)} people, {prevalence:.1%} of them look into the image (chance)"] if flat else [],
            seed=self.seed,
            num_resamples=2_000,
        )
        return [result]


class _Precision:
    """Image weights (resamples, num_images) -> average precision (resamples,)."""

    def __init__(self, images: Array, scores: Array, truths: Array) -> None:
        order = np.argsort(-scores, kind="stable")
        self.images, self.truths = images[order], truths[order].astype(np.float64)
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
