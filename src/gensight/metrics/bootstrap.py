"""Bootstrap intervals by reweighting per-image statistics: nothing is ever scored twice.

A resample of n units with replacement is the same thing as integer weights drawn from a multinomial distribution, so
a score that is a function of weighted sums needs one matrix product for all resamples (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapters 6, 13). Units are groups (videos, subjects) where images belong
together, since frames of one video are no independent evidence. Intervals are percentile intervals.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.metrics.base import NUM_RESAMPLES, Result, counts_text, plain
from gensight.samples import Array

# Images or groups, below which scores have no interval: if all of 5 agree, that still happens by chance once in 16
# times (a sign test), and percentiles of so few are too narrow.
FEWEST_UNITS = 6
_CHUNK = 200_000  # weights held at a time: few enough for the processor's cache
_LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class Difference:
    """How much better or worse one result is than another on the same images.

    Attributes:
        protocol: Of both results.
        value: a - b.
        interval: Bootstrap 95 % interval of a - b, both scored on the same resamples.
        share_better: Share of the resamples in which a is better than b; a tie counts half.
        higher_is_better: Direction of the score.
        unit: As in Result.
        num_images: Number of images that both were scored on.
        num_groups: Groups that these are of.
    """

    protocol: str
    value: float
    interval: tuple[float, float]
    share_better: float
    higher_is_better: bool
    unit: str
    num_images: int
    num_groups: int

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.unit == "%" else (1, 2)
        low, high = (scale * bound for bound in self.interval)
        unit = f" {self.unit}" if self.unit else ""
        counts = counts_text(self.num_images, self.num_groups)
        if not np.isfinite(self.interval).all():
            return f"{self.protocol} {scale * self.value:+.{digits}f}{unit}, n = {counts}"
        spread = f"[{low:+.{digits}f}, {high:+.{digits}f}]"
        return (
            f"{self.protocol} {scale * self.value:+.{digits}f}{unit} {spread}, "
            f"better in {100 * self.share_better:.1f} % of resamples, n = {counts}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values (NaN becomes None)."""
        return {
            "protocol": self.protocol,
            "value": plain(self.value),
            "interval": [plain(bound) for bound in self.interval],
            "share_better": plain(self.share_better),
            "higher_is_better": self.higher_is_better,
            "unit": self.unit,
            "num_images": self.num_images,
            "num_groups": self.num_groups,
        }


def resampling_units(groups: Sequence[str]) -> tuple[Array, str]:
    """Which images are resampled together: an int unit index per image, and a note ("" for plain images).

    Groups are the units wherever there are at least two. A single group cannot be resampled, so its images are, and
    the note says what that interval leaves out. Scores of fewer than `FEWEST_UNITS` have no interval, and no verdict.
    """
    if 0 < len(groups) < FEWEST_UNITS:
        return np.arange(len(groups)), f"no intervals: {len(groups)} images are too few, fewer than {FEWEST_UNITS}"
    _, units = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    num_units = int(units.max(initial=-1)) + 1
    if num_units == len(groups):
        return units, ""
    if num_units == 1:
        note = "all images are of one group, so images were resampled: the interval says nothing of other groups"
        return np.arange(len(groups)), note
    if num_units < FEWEST_UNITS:
        return units, f"no intervals: {num_units} groups of images are too few, fewer than {FEWEST_UNITS}"
    return units, f"{num_units} groups of images were resampled"


def interval(
    statistics: Array,
    reduce: Callable[[Array], Array],
    groups: Sequence[str],
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[float, float]:
    """Bootstrap 95 % interval of a score that is a function of sums.

    Args:
        statistics: float64 (num_images, num_statistics).
        reduce: Maps sums (..., num_statistics) to scores (...,).
        groups: Each image's group.
        seed: Seeds the resamples.
        num_resamples: Number of resamples.

    Returns:
        (low, high); NaN where no resample has a score.
    """
    units, _ = resampling_units(groups)
    if len(units) == 0:
        return float("nan"), float("nan")
    sums = np.zeros((int(units.max()) + 1, statistics.shape[1]))
    np.add.at(sums, units, statistics)
    return _percentiles([reduce(weights @ sums) for weights in _unit_weights(len(sums), num_resamples, seed)])


def interval_by_weights(
    reweigh: Callable[[Array], Array],
    groups: Sequence[str],
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[float, float]:
    """As `interval`, for a score of image weights (resamples, num_images) -> (resamples,)."""
    units, _ = resampling_units(groups)
    if len(units) == 0:
        return float("nan"), float("nan")
    drawn = _unit_weights(int(units.max()) + 1, num_resamples, seed)
    return _percentiles([reweigh(weights[:, units]) for weights in drawn])


def paired_difference(a: Result, b: Result, seed: int = 0, num_resamples: int | None = None) -> Difference:
    """Compares two results image by image: a - b on the same resamples of the same images.

    Args:
        a: The result in question.
        b: The baseline.
        seed: Seeds the resamples.
        num_resamples: 10,000 if both scores are functions of sums, else 2,000.

    Raises:
        DataError: If the protocols or the scored images differ.
    """
    if a.protocol != b.protocol:
        raise DataError(f"`{a.protocol}` cannot be compared with `{b.protocol}`: they are different protocols")
    order = _matching_order(a, b)
    if num_resamples is None:
        num_resamples = NUM_RESAMPLES if a.reweigh is None and b.reweigh is None else NUM_RESAMPLES // 5
    units, _ = resampling_units(a.groups)
    differences: list[Array] = []
    if units.max(initial=-1) + 1 >= FEWEST_UNITS:
        for drawn in _unit_weights(int(units.max()) + 1, num_resamples, seed):
            weights = drawn[:, units]
            differences.append(a.scores(weights) - b.scores(weights[:, order]))
    return Difference(
        a.protocol,
        a.value - b.value,
        _percentiles(differences),
        _share_better(differences, a.higher_is_better),
        a.higher_is_better,
        a.unit,
        a.num_images,
        a.num_groups,
    )


def make_result(
    protocol: str,
    *,
    statistics: Array | None = None,
    reduce: Callable[[Array], Array] | None = None,
    reweigh: Callable[[Array], Array] | None = None,
    rows: Sequence[dict[str, Any]],
    higher_is_better: bool,
    unit: str,
    parts: dict[str, float] | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> Result:
    """A Result with its value and interval worked out.

    Give `statistics` and `reduce`, or `reweigh` alone; else it is the mean of the rows' scores. Images are grouped by
    their rows' `group`; one without is a group of its own.
    """
    groups = tuple(str(row.get("group", row["sample_key"])) for row in rows)
    value, bounds = float("nan"), (float("nan"), float("nan"))
    if reweigh is None and reduce is None:
        statistics, reduce = sums_and_counts([[row["score"]] for row in rows]), mean_of_sums
    statistics = np.zeros((len(rows), 0)) if statistics is None else statistics
    units, note = resampling_units(groups)
    enough = units.max(initial=-1) + 1 >= FEWEST_UNITS
    if rows and reweigh is not None:
        value = float(reweigh(np.ones((1, len(rows))))[0])
        bounds = interval_by_weights(reweigh, groups, seed, num_resamples) if enough else bounds
    elif rows and reduce is not None:
        value = float(reduce(statistics.sum(0, keepdims=True))[0])
        bounds = interval(statistics, reduce, groups, seed, num_resamples) if enough else bounds
    return Result(
        protocol=protocol,
        value=value,
        interval=bounds,
        higher_is_better=higher_is_better,
        unit=unit,
        num_images=len(rows),
        statistics=statistics,
        reduce=reduce,
        groups=groups,
        rows=tuple(rows),
        parts=dict(parts or {}),
        reweigh=reweigh,
        notes=(*notes, *([note] if note else [])),
    )


def ratio(above: Array | np.generic, below: Array | np.generic) -> Array:
    """above / below of one shape; NaN where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)


def mean_of_sums(sums: Array) -> Array:
    """(..., 2) sums and counts -> (...,) means, NaN where nothing was counted."""
    return ratio(sums[..., 0], sums[..., 1])


def mean_of_known(values: Array) -> Array:
    """(..., n) -> (...,): the mean of what is finite, NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def sums_and_counts(values: Sequence[Sequence[float]]) -> Array:
    """float64 (num_images, 2): the sum of each image's values and how many there are, as `mean_of_sums` takes them."""
    return np.array([[sum(of), len(of)] for of in values], dtype=np.float64).reshape(-1, 2)


def _unit_weights(num_units: int, num_resamples: int, seed: int) -> Iterator[Array]:
    """Multinomial weights, float64 (chunk, num_units), as counts of uniform draws (faster than binomial splitting)."""
    generator = np.random.default_rng(seed)
    rows = max(1, min(num_resamples, _CHUNK // num_units))
    for start in range(0, num_resamples, rows):
        weights = np.empty((min(rows, num_resamples - start), num_units))
        for row, draws in enumerate(generator.integers(num_units, size=weights.shape)):
            weights[row] = np.bincount(draws, minlength=num_units)
        yield weights


def _percentiles(scores: list[Array]) -> tuple[float, float]:
    finite = np.concatenate(scores) if scores else np.zeros(0)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, _LEVELS)
    return float(low), float(high)


def _share_better(differences: list[Array], higher_is_better: bool) -> float:
    finite = np.concatenate(differences) if differences else np.zeros(0)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0:
        return float("nan")
    gains = finite if higher_is_better else -finite
    return float(np.mean((gains > 0) + 0.5 * (gains == 0)))


def _matching_order(a: Result, b: Result) -> Array:
    """For each image of b its index in a."""
    places = {row["sample_key"]: index for index, row in enumerate(a.rows)}
    keys = [row["sample_key"] for row in b.rows]
    only_a, only_b = sorted(set(places) - set(keys)), sorted(set(keys) - set(places))
    if only_a or only_b:
        raise DataError(
            f"the two results of `{a.protocol}` were not scored on the same images: "
            f"{len(only_a)} only in the first, {len(only_b)} only in the second",
            where=", ".join((only_a + only_b)[:3]),
            hint="score both on the same split",
        )
    return np.array([places[key] for key in keys], dtype=np.int64)
