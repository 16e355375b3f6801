"""Depth errors, per image and then averaged over images, as NYUv2 is scored (Eigen et al., NeurIPS 2014, section 4.2).

Three protocols, by what a prediction may get wrong without being punished:

- `depth-metric`: nothing. The prediction is in metres.
- `depth-median-scaled`: one factor per image; the ratio of medians sets it right. The prediction is in metres.
- `depth-affine`: a scale and a shift per image, fitted by least squares over the image's valid pixels in the space that
  the prediction is in (Ranftl et al., TPAMI 2022, section 5): an affine prediction, which is inverse depth, to the
  inverse of the truth; one in metres to the truth.

Valid are the pixels whose true depth lies in (min_depth, max_depth). Predictions are brought into that range, as the
published scripts do, and what isn't predicted there counts as `min_depth`: leaving pixels out never pays. Each measure
is a Result of its own, such as `depth-metric/absrel`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gensight.encodings.depth import check_metres, fitted
from gensight.errors import ConfigError, DataError
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result
from gensight.samples import Array, Depth, Item, Prediction

Protocol = Literal["depth-metric", "depth-median-scaled", "depth-affine"]
Measure = Literal["absrel", "sqrel", "rmse", "rmse-log", "log10", "delta1", "delta2", "delta3"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
EIGEN_SIZE, EIGEN_CROP = (480, 640), (slice(45, 471), slice(41, 601))
_UNITS: dict[Measure, str] = {"absrel": "%", "sqrel": "m", "rmse": "m", "rmse-log": "", "log10": "",
                              "delta1": "%", "delta2": "%", "delta3": "%"}  # fmt: skip


def depth_errors(predicted: Array, truth: Array) -> dict[Measure, float]:
    """All measures of one image.

    Args:
        predicted: float (n,), metres, positive.
        truth: float (n,), metres, positive.

    Returns:
        With d the prediction and t the truth, means over pixels: |d - t| / t, (d - t)^2 / t, the root of (d - t)^2, the
        root of (ln d - ln t)^2, |log10 d - log10 t|, and the shares in which max(d / t, t / d) is below 1.25, 1.25^2
        and 1.25^3.
    """
    difference, logs = predicted - truth, np.log(predicted) - np.log(truth)
    ratio = np.maximum(predicted / truth, truth / predicted)
    return {
        "absrel": float(np.mean(np.abs(difference) / truth)),
        "sqrel": float(np.mean(difference**2 / truth)),
        "rmse": float(np.sqrt(np.mean(difference**2))),
        "rmse-log": float(np.sqrt(np.mean(logs**2))),
        "log10": float(np.mean(np.abs(logs)) / np.log(10)),
        "delta1": float(np.mean(ratio < 1.25)),
        "delta2": float(np.mean(ratio < 1.25**2)),
        "delta3": float(np.mean(ratio < 1.25**3)),
    }


@dataclass(frozen=True, eq=False)
class _Measured:
    """One item: its measures, its valid pixels and how many of them had no prediction."""

    errors: dict[Measure, float]
    num_pixels: int
    num_missing: int


class DepthScores(ImageMetric[_Measured]):
    """The measures of one protocol, a result each: the mean over images of each image's error.

    Args:
        protocol: As above.
        measures: Of `MEASURES`.
        min_depth: Pixels whose true depth is not above it, in metres, are not scored.
        max_depth: Nor those where it is not below this.
        crop: `eigen` scores the middle of NYUv2's 480 x 640 images alone (rows 45 to 470, columns 41 to 600).
        seed: Seeds the bootstrap.

    Raises:
        ConfigError: An empty range.
    """

    def __init__(
        self,
        protocol: Protocol = "depth-metric",
        measures: Sequence[Measure] = MEASURES,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        crop: Literal["none", "eigen"] = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(measures, seed)
        if not 0 < min_depth < max_depth:
            raise ConfigError(f"depths to score must be above 0 and rise, got {min_depth} to {max_depth} m")
        self.protocol: Protocol = protocol
        self.min_depth, self.max_depth, self.crop = min_depth, max_depth, crop

    def measure(self, prediction: Prediction, item: Item) -> _Measured | str:
        """Raises DataError as `update`, and ConfigError for a prediction that the protocol cannot score."""
        truth = self._truth(item)
        valid = np.isfinite(truth) & (truth > self.min_depth) & (truth < self.max_depth)
        if self.crop == "eigen":
            valid &= _eigen_crop(item)
        if not valid.any():
            return f"images have no pixel between {self.min_depth:g} and {self.max_depth:g} m"
        return self._errors(prediction.depth, truth, valid, item.key)

    def _truth(self, item: Item) -> Array:
        """float64 (height, width), metres."""
        if item.sample.depth is None:
            raise DataError(f"`{self.protocol}` needs images whose depth is known", where=item.key)
        truth = item.sample.depth()
        if truth.kind != "metric":
            raise DataError(
                f"`{self.protocol}` needs true depth in metres, and this image's has no unit",
                where=item.key,
                hint="score on data with metric depth",
            )
        check_metres(truth.values, item.key, 0.0, self.max_depth)
        return truth.values.astype(np.float64)

    def _errors(self, depth: Depth | None, truth: Array, valid: Array, where: str) -> _Measured:
        if depth is None:
            predicted = np.full(int(valid.sum()), np.nan)
        elif depth.values.shape != truth.shape:
            raise DataError(f"predicted depth of {depth.values.shape} for an image of {truth.shape}", where=where)
        else:
            predicted = self._in_metres(depth, truth[valid], depth.values[valid].astype(np.float64))
        missing = np.isnan(predicted)
        predicted = np.clip(np.where(missing, self.min_depth, predicted), self.min_depth, self.max_depth)
        return _Measured(depth_errors(predicted, truth[valid]), len(missing), int(missing.sum()))

    def _in_metres(self, depth: Depth, truth: Array, predicted: Array) -> Array:
        """The predicted values of valid pixels, aligned by the protocol; NaN stays."""
        known = np.isfinite(predicted)
        if self.protocol == "depth-affine":
            if depth.kind == "metric":
                return fitted(predicted, truth, known)
            inverse = fitted(predicted, 1 / truth, known)
            return 1 / np.maximum(inverse, 1 / self.max_depth)
        if depth.kind != "metric":
            raise ConfigError(
                f"`{self.protocol}` scores depth in metres, and this prediction is affine",
                where="evaluation.protocols",
                hint="use depth-affine",
            )
        if self.protocol == "depth-median-scaled" and known.any():
            return predicted * np.median(truth[known]) / max(float(np.median(predicted[known])), 1e-12)
        return predicted

    def result(self, measure: Measure) -> Result:
        images = self.images()
        rows = [
            head
            | {
                "score": float(np.mean([one.errors[measure] for one in of])),
                "num_pixels": sum(one.num_pixels for one in of),
                "num_missing": sum(one.num_missing for one in of),
            }
            for head, of in images
        ]
        return make_result(
            f"{self.protocol}/{measure}",
            rows=rows,
            higher_is_better=measure.startswith("delta"),
            unit=_UNITS[measure],
            notes=self._notes(rows),
            seed=self.seed,
        )

    def _notes(self, rows: list[dict[str, Any]]) -> list[str]:
        notes = []
        if self.crop == "eigen":
            notes.append("inside Eigen's crop")
        missing, total = (sum(row[name] for row in rows) for name in ("num_missing", "num_pixels"))
        if missing:
            notes.append(f"{100 * missing / total:.1f} % of the valid pixels had no prediction")
        return notes + self.skip_notes()


def _eigen_crop(item: Item) -> Array:
    """bool (height, width). DataError for an image of another size than NYUv2's."""
    size = tuple(item.sample.size)
    if size != EIGEN_SIZE:
        raise DataError(f"Eigen's crop is of images of {EIGEN_SIZE}, not of {size}", where=item.key)
    mask = np.zeros(EIGEN_SIZE, dtype=bool)
    mask[EIGEN_CROP] = True
    return mask
