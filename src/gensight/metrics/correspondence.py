"""Correspondence scores: the share of points of one image that are found at the right place in another.

`pck-img` and `pck-box`, each averaged per point and per image, at several thresholds. Published tables mix the two
averages, which differ by points (Min et al., "SPair-71k", 2019; Zhang et al., "Telling Left from Right", CVPR 2024,
section 5.1), so both are protocols: `pck-img-point@0.05`, `pck-box-image@0.10`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gensight.errors import ConfigError, DataError, did_you_mean
from gensight.geometry import box_size
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.metrics.thresholds import read_threshold, threshold_text
from gensight.samples import Array, Item, Prediction

Length = Literal["img", "box"]
Average = Literal["point", "image"]
THRESHOLDS = (0.01, 0.05, 0.1, 0.2)
LENGTHS: tuple[Length, ...] = get_args(Length)
AVERAGES: tuple[Average, ...] = get_args(Average)
PROTOCOLS: tuple[str, ...] = tuple(f"pck-{length}" for length in LENGTHS)


def matching_metric(protocol: str, seed: int = 0) -> "MatchingPck":
    """A fresh metric of a protocol.

    Args:
        protocol: `pck-img` or `pck-box` for all usual thresholds and both averages, or with either or both of them
            named: `pck-img@0.05`, `pck-img-point`, `pck-img-point@0.05`.
        seed: Seeds the bootstrap.

    Raises:
        ConfigError: An unknown name or a bad threshold.
    """
    name, at, text = protocol.partition("@")
    for length in LENGTHS:
        averages = [one for one in AVERAGES if name in (f"pck-{length}", f"pck-{length}-{one}")]
        if averages:
            return MatchingPck(
                length, averages, (read_threshold(protocol, text, "pck-img@0.05"),) if at else THRESHOLDS, seed
            )
    raise ConfigError(
        f"no correspondence protocol is called `{protocol}`",
        where="evaluation.protocols",
        choices=[*PROTOCOLS, "pck-img-point@0.05", "pck-img-image@0.05"],
        hint=did_you_mean(protocol, PROTOCOLS),
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """What was measured on one pair: float64 (num_points,) distances in units of its length, infinite where missing."""

    distances: Array

    def correct(self, threshold: float) -> int:
        return int((self.distances <= threshold).sum())


class MatchingPck(Metric):
    """Percentage of correct points: found within a threshold times a length of the second image.

    Scored are the points that the pair's tracks see in both images, in pixels of the second one. The length is

    - `img`: the longer side of the second image;
    - `box`: the longer side of the box of what is matched, in the second image: the relation's box, else that of the
      image's only instance. Pairs without one are left out and counted in the results' notes.

    Averages: `point`: the share of all points; `image`: each pair's share, averaged over pairs. A point that was not
    predicted is wrong. Pairs without a common point are left out. Rows and resampling are by first
    image. There is one result for each average and threshold.

    Raises:
        ConfigError: If a threshold is not positive.
    """

    def __init__(
        self,
        length: Length = "img",
        averages: Sequence[Average] = AVERAGES,
        thresholds: Sequence[float] = THRESHOLDS,
        seed: int = 0,
    ) -> None:
        self.protocol = f"pck-{length}"
        for threshold in thresholds:
            if not threshold > 0:
                raise ConfigError(f"the threshold of `{self.protocol}` must be positive, got {threshold}")
        self.length, self.averages, self.thresholds, self.seed = length, tuple(averages), tuple(thresholds), seed
        self._pairs: dict[str, dict[str, _Pair]] = {}
        self._groups: dict[str, str] = {}
        self._pointless: set[str] = set()
        self._boxless: set[str] = set()

    def update(self, prediction: Prediction, item: Item) -> None:
        """Measures one pair.

        Raises:
            DataError: If the item has no tracks, or the prediction answers another item or other points.
        """
        check_answer(prediction, item)
        if item.relation is None or item.relation.tracks is None:
            raise DataError(f"`{self.protocol}` needs pairs of images with tracks", where=item.key)
        queried, truth = item.relation.tracks
        scored = np.isfinite(queried).all(1) & np.isfinite(truth).all(1)
        if not scored.any():
            self._pointless.add(item.key)
            return
        length = self._length(item)
        if not length > 0:
            self._boxless.add(item.key)
            return
        found = np.full(truth.shape, np.nan) if prediction.matches is None else prediction.matches.points
        if found.shape != truth.shape:
            raise DataError(f"{len(found)} matches cannot be scored against {len(truth)} points", where=item.key)
        distances = np.linalg.norm(found - truth, axis=1)[scored] / length
        distances[~np.isfinite(distances)] = np.inf
        self._groups[item.sample.key] = item.sample.group
        self._pairs.setdefault(item.sample.key, {})[item.key] = _Pair(distances)

    def _length(self, item: Item) -> float:
        """What distances are divided by, in px; 0 where unknown."""
        assert item.relation is not None
        second = item.samples[1]
        if self.length == "img":
            return float(max(second.size))
        if item.relation.boxes is not None:
            return max(box_size(item.relation.boxes[1]))
        boxes = [one.box for one in second.instances or () if one.box is not None]
        return max(box_size(boxes[0])) if len(boxes) == 1 else 0.0

    def merge(self, other: Metric) -> None:
        assert isinstance(other, MatchingPck), "only metrics of one class can be merged"
        for key, pairs in other._pairs.items():
            self._pairs.setdefault(key, {}).update(pairs)
        self._groups.update(other._groups)
        self._pointless |= other._pointless
        self._boxless |= other._boxless

    def compute(self) -> list[Result]:
        return [self._result(average, threshold) for average in self.averages for threshold in self.thresholds]

    def _result(self, average: Average, threshold: float) -> Result:
        keys = sorted(self._pairs)
        images = [[pair for _, pair in sorted(self._pairs[key].items())] for key in keys]
        statistics = np.array([_sums(pairs, average, threshold) for pairs in images], dtype=np.float64).reshape(-1, 2)
        rows = [
            {
                "sample_key": key,
                "group": self._groups[key],
                "score": sums[0] / sums[1],
                "num_pairs": len(pairs),
                "num_points": sum(len(pair.distances) for pair in pairs),
                "num_missing": sum(int(np.isinf(pair.distances).sum()) for pair in pairs),
            }
            for key, pairs, sums in zip(keys, images, statistics.tolist(), strict=True)
        ]
        return make_result(
            f"{self.protocol}-{average}@{threshold_text(threshold)}",
            statistics=statistics,
            reduce=ratio,
            groups=[self._groups[key] for key in keys],
            rows=rows,
            higher_is_better=True,
            unit="%",
            notes=self._notes(images),
            seed=self.seed,
        )

    def _notes(self, images: Sequence[Sequence[_Pair]]) -> list[str]:
        num_pairs = sum(len(pairs) for pairs in images)
        num_points = sum(len(pair.distances) for pairs in images for pair in pairs)
        num_missing = sum(int(np.isinf(pair.distances).sum()) for pairs in images for pair in pairs)
        notes = [f"{num_points} points of {num_pairs} pairs were scored"] if num_pairs else []
        if num_missing:
            notes.append(f"{num_missing} points were not predicted")
        if self._pointless:
            notes.append(f"{len(self._pointless)} pairs have no common point")
        if self._boxless:
            notes.append(f"{len(self._boxless)} pairs could not be scored: no box is known in the second image")
        return notes


def _sums(pairs: Sequence[_Pair], average: Average, threshold: float) -> tuple[float, float]:
    correct = [pair.correct(threshold) for pair in pairs]
    counts = [len(pair.distances) for pair in pairs]
    if average == "point":
        return sum(correct), sum(counts)
    return sum(right / count for right, count in zip(correct, counts, strict=True)), len(pairs)


def check_answer(prediction: Prediction, item: Item) -> None:
    """Raises DataError if a prediction answers another item."""
    if prediction.sample_key != item.sample.key or (prediction.item_key and prediction.item_key != item.key):
        answered = prediction.item_key or prediction.sample_key
        raise DataError(f"a prediction of `{answered}` cannot be scored against `{item.key}`")


def ratio(sums: Array) -> Array:
    """(..., 2) sums of a numerator and of a denominator -> (...,); NaN over 0."""
    above, below = np.asarray(sums[..., 0]), np.asarray(sums[..., 1])
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
