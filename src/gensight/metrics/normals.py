"""Angles between predicted and true surface normals, over the pixels of all images (Fouhey et al., ICCV 2013).

`angular-error` has five measures: the mean and the median angle in degrees, and the shares of pixels within 11.25, 22.5
and 30 degrees. Scored are the pixels whose true normal is known (see `encodings.surface_normals.depth_normals`); one
without a prediction counts as 180 degrees, so leaving pixels out never pays. The median is taken of angles rounded to
0.1 degrees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gensight.encodings.surface_normals import OUTPUT, angles, image_normals, sample_normals
from gensight.errors import ConfigError, DataError
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.samples import Array, Item, Prediction

Protocol = Literal["angular-error"]
Measure = Literal["mean", "median", "within-11.25", "within-22.5", "within-30"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
MEASURES: tuple[Measure, ...] = get_args(Measure)
LIMITS: dict[Measure, float] = {"within-11.25": 11.25, "within-22.5": 22.5, "within-30": 30.0}
WORST = 180.0
_STEP = 0.1  # degrees, of the median
_NUM_STEPS = round(WORST / _STEP) + 1


@dataclass(frozen=True, eq=False)
class _Measured:
    """One image: sums over its scored pixels, for every measure but the median; how many steps each angle is; group."""

    sums: dict[Measure, float]
    histogram: Array
    num_pixels: int
    group: str

    def statistics(self, measure: Measure) -> Array:
        return self.histogram if measure == "median" else np.array([self.sums[measure], self.num_pixels])


class AngularError(Metric):
    """Measures of the angles between predicted and true normals.

    Args:
        measures: Of `MEASURES`; one result each, in this order.
        seed: Seeds the bootstrap.
    """

    def __init__(self, measures: Sequence[Measure] = MEASURES, seed: int = 0) -> None:
        for measure in measures:
            if measure not in MEASURES:
                raise ConfigError(f"no measure of normals is called `{measure}`", choices=MEASURES)
        self.measures, self.seed = tuple(measures), seed
        self.protocol = PROTOCOLS[0]
        self.images: dict[str, _Measured] = {}
        self.skipped: set[str] = set()

    def update(self, prediction: Prediction, item: Item) -> None:
        """Measures one image; one without a known normal is counted in the notes.

        Raises:
            DataError: An image without depth or intrinsics, or another image's prediction.
        """
        key = item.sample.key
        if prediction.sample_key != key:
            raise DataError(f"a prediction of `{prediction.sample_key}` cannot be scored against `{key}`")
        truth = sample_normals(item.sample)
        if truth is None:
            raise DataError("`angular-error` needs images whose depth and intrinsics are known", where=key)
        known = np.isfinite(truth).all(-1)
        if not known.any():
            self.skipped.add(key)
            return
        score = prediction.maps.get(OUTPUT)
        found = np.full_like(truth, np.nan) if score is None else image_normals(score)
        if found.shape != truth.shape:
            raise DataError(f"predicted normals of {found.shape} for an image of {truth.shape}", where=key)
        errors = np.nan_to_num(angles(found, truth)[known], nan=WORST)
        sums: dict[Measure, float] = {name: float((errors < limit).sum()) for name, limit in LIMITS.items()}
        histogram = np.bincount(np.rint(errors / _STEP).astype(int), minlength=_NUM_STEPS).astype(np.float32)
        self.images[key] = _Measured({"mean": float(errors.sum()), **sums}, histogram, len(errors), item.sample.group)

    def merge(self, other: Metric) -> None:
        assert isinstance(other, AngularError), "only metrics of one class can be merged"
        self.images |= other.images
        self.skipped |= other.skipped

    def compute(self) -> list[Result]:
        return [self._result(measure) for measure in self.measures]

    def _result(self, measure: Measure) -> Result:
        keys = sorted(self.images)
        images = [self.images[key] for key in keys]
        reduce = _median if measure == "median" else _ratio
        statistics = np.array([one.statistics(measure) for one in images], dtype=np.float64)
        skipped = len(self.skipped)
        return make_result(
            f"{PROTOCOLS[0]}/{measure}",
            statistics=statistics.reshape(len(images), -1) if images else np.zeros((0, 2)),
            reduce=reduce,
            groups=[one.group for one in images],
            rows=[
                {"sample_key": key, "group": one.group, "score": float(reduce(row)), "num_pixels": one.num_pixels}
                for key, one, row in zip(keys, images, statistics, strict=True)
            ],
            higher_is_better=measure in LIMITS,
            unit="%" if measure in LIMITS else "degrees",
            notes=[f"{skipped} images without a known normal were not scored"] if skipped else [],
            seed=self.seed,
        )


def normal_metric(protocol: str = PROTOCOLS[0], seed: int = 0) -> AngularError:
    """The metric of a protocol: all measures, or one (`angular-error/mean`). Raises ConfigError on other names."""
    family, slash, measure = protocol.partition("/")
    if family not in PROTOCOLS or (slash and measure not in MEASURES):
        choices = [*PROTOCOLS, *(f"{PROTOCOLS[0]}/{one}" for one in MEASURES)]
        raise ConfigError(
            f"no protocol of normals is called `{protocol}`", where="evaluation.protocols", choices=choices
        )
    return AngularError([one for one in MEASURES if not slash or one == measure], seed)


def _ratio(sums: Array) -> Array:
    """(..., 2) -> (...,); NaN where nothing was counted."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)


def _median(counts: Array) -> Array:
    """(..., steps) -> (...,); NaN where nothing was counted."""
    below = np.cumsum(counts, axis=-1)
    total = below[..., -1]
    middle = (below >= total[..., None] / 2).argmax(-1)
    return np.where(total > 0, middle * _STEP, np.nan)
