"""Angles between predicted and true surface normals, over the pixels of all images (Fouhey et al., ICCV 2013).

`angular-error` has five measures: the mean and the median angle in degrees, and the shares of pixels within 11.25, 22.5
and 30 degrees. Scored are the pixels whose true normal is known (see `encodings.surface_normals.depth_normals`); one
without a prediction counts as 180 degrees, so leaving pixels out never pays. The median is taken of angles rounded to
0.1 degrees.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gensight.encodings.surface_normals import OUTPUT, angles, image_normals, sample_normals
from gensight.errors import DataError
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result, mean_of_sums
from gensight.samples import Array, Item, Prediction

Measure = Literal["mean", "median", "within-11.25", "within-22.5", "within-30"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
LIMITS: dict[Measure, float] = {"within-11.25": 11.25, "within-22.5": 22.5, "within-30": 30.0}
WORST = 180.0
_STEP = 0.1  # degrees, of the median
_NUM_STEPS = round(WORST / _STEP) + 1


@dataclass(frozen=True, eq=False)
class _Measured:
    """One image: sums over its scored pixels, for every measure but the median; how many pixels each angle has."""

    sums: dict[Measure, float]
    histogram: Array
    num_pixels: int

    def statistics(self, measure: Measure) -> Array:
        return self.histogram if measure == "median" else np.array([self.sums[measure], self.num_pixels])


class AngularError(ImageMetric[_Measured]):
    """Measures of the angles between predicted and true normals.

    Args:
        measures: Of `MEASURES`; one result each, in this order.
        seed: Seeds the bootstrap.
    """

    protocol = "angular-error"
    measures = MEASURES
    whole_images = True

    def measure(self, prediction: Prediction, item: Item) -> _Measured | str:
        """Raises DataError for an image without depth or intrinsics."""
        truth = sample_normals(item.sample)
        if truth is None:
            raise DataError("`angular-error` needs images whose depth and intrinsics are known", where=item.key)
        known = np.isfinite(truth).all(-1)
        if not known.any():
            return "images without a known normal were not scored"
        score = prediction.maps.get(OUTPUT)
        found = np.full_like(truth, np.nan) if score is None else image_normals(score)
        if found.shape != truth.shape:
            raise DataError(f"predicted normals of {found.shape} for an image of {truth.shape}", where=item.key)
        errors = np.nan_to_num(angles(found, truth)[known], nan=WORST)
        sums: dict[Measure, float] = {name: float((errors < limit).sum()) for name, limit in LIMITS.items()}
        histogram = np.bincount(np.rint(errors / _STEP).astype(int), minlength=_NUM_STEPS).astype(np.float32)
        return _Measured({"mean": float(errors.sum()), **sums}, histogram, len(errors))

    def result(self, measure: Measure) -> Result:
        images = self.images()
        reduce = _median if measure == "median" else mean_of_sums
        statistics = np.array([of[0].statistics(measure) for _, of in images], dtype=np.float64)
        return make_result(
            f"{self.protocol}/{measure}",
            statistics=statistics if images else np.zeros((0, 2)),
            reduce=reduce,
            rows=[
                head | {"score": float(reduce(sums)), "num_pixels": of[0].num_pixels}
                for (head, of), sums in zip(images, statistics, strict=True)
            ],
            higher_is_better=measure in LIMITS,
            unit="%" if measure in LIMITS else "degrees",
            notes=self.skip_notes(),
            seed=self.seed,
        )


def _median(counts: Array) -> Array:
    """(..., steps) -> (...,); NaN where nothing was counted."""
    below = np.cumsum(counts, axis=-1)
    total = below[..., -1]
    middle = (below >= total[..., None] / 2).argmax(-1)
    return np.where(total > 0, middle * _STEP, np.nan)
