"""Correspondence scores: the share of points of one image that are found at the right place in another.

`pck-img` and `pck-box`, each averaged per point and per image, at several thresholds. Published tables mix the two
averages, which differ by points (Min et al., "SPair-71k", 2019; Zhang et al., "Telling Left from Right", CVPR 2024,
section 5.1), so both are protocols: `pck-img-point@0.05`, `pck-box-image@0.10`.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.geometry import box_size
from gensight.metrics.base import ImageMetric, Result, threshold_text
from gensight.metrics.bootstrap import make_result, mean_of_sums
from gensight.samples import Array, Item, Prediction

Length = Literal["img", "box"]
Average = Literal["point", "image"]
THRESHOLDS = (0.01, 0.05, 0.1, 0.2)
AVERAGES: tuple[Average, ...] = get_args(Average)


class MatchingPck(ImageMetric[Array]):
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
        super().__init__([(average, threshold) for average in averages for threshold in thresholds], seed)
        self.protocol = f"pck-{length}"
        for threshold in thresholds:
            if not threshold > 0:
                raise ConfigError(f"the threshold of `{self.protocol}` must be positive, got {threshold}")
        self.length = length

    def measure(self, prediction: Prediction, item: Item) -> Array | str:
        """float64 (num_points,): distances in units of the pair's length, infinite where missing.

        Raises:
            DataError: If the item has no tracks, or the prediction answers other points.
        """
        if item.relation is None or item.relation.tracks is None:
            raise DataError(f"`{self.protocol}` needs pairs of images with tracks", where=item.key)
        queried, truth = item.relation.tracks
        scored = np.isfinite(queried).all(1) & np.isfinite(truth).all(1)
        if not scored.any():
            return "pairs have no common point"
        length = self._length(item)
        if not length > 0:
            return "pairs could not be scored: no box is known in the second image"
        found = np.full(truth.shape, np.nan) if prediction.matches is None else prediction.matches.points
        if found.shape != truth.shape:
            raise DataError(f"{len(found)} matches cannot be scored against {len(truth)} points", where=item.key)
        distances = np.linalg.norm(found - truth, axis=1)[scored] / length
        distances[~np.isfinite(distances)] = np.inf
        return distances

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

    def result(self, measure: tuple[Average, float]) -> Result:
        (average, threshold), images = measure, self.images()
        statistics = np.array([_sums(of, average, threshold) for _, of in images], dtype=np.float64).reshape(-1, 2)
        rows = [
            head
            | {
                "score": total / count,
                "num_pairs": len(pairs),
                "num_points": sum(map(len, pairs)),
                "num_missing": sum(int(np.isinf(distances).sum()) for distances in pairs),
            }
            for (head, pairs), (total, count) in zip(images, statistics.tolist(), strict=True)
        ]
        return make_result(
            f"{self.protocol}-{average}@{threshold_text(threshold)}",
            statistics=statistics,
            reduce=mean_of_sums,
            rows=rows,
            higher_is_better=True,
            unit="%",
            notes=self._notes(rows),
            seed=self.seed,
        )

    def _notes(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        num_pairs, num_points, num_missing = (
            sum(row[name] for row in rows) for name in ("num_pairs", "num_points", "num_missing")
        )
        notes = [f"{num_points} points of {num_pairs} pairs were scored"] if num_pairs else []
        if num_missing:
            notes.append(f"{num_missing} points were not predicted")
        return notes + self.skip_notes()


def _sums(pairs: Sequence[Array], average: Average, threshold: float) -> tuple[float, float]:
    correct = [int((distances <= threshold).sum()) for distances in pairs]
    if average == "point":
        return sum(correct), sum(map(len, pairs))
    return sum(right / len(distances) for right, distances in zip(correct, pairs, strict=True)), len(pairs)
