"""What every metric is, and the Result that it returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from gensight.errors import DataError
from gensight.samples import Array, Item, Prediction

NUM_RESAMPLES = 10_000


def plain(value: float) -> float | None:
    """A JSON value: NaN and infinities become None."""
    return float(value) if np.isfinite(value) else None


def counts_text(num_images: int, num_groups: int) -> str:
    """What a score is over: `40`, or `40 in 5 groups` where images belong together, and are resampled by these."""
    return f"{num_images} in {num_groups} groups" if 1 < num_groups < num_images else str(num_images)


@dataclass(frozen=True, eq=False)
class Result:
    """One score, under one protocol.

    Attributes:
        protocol: For example `pck-box@0.10`.
        value: The score; NaN if nothing could be scored.
        interval: Bootstrap 95 % interval (low, high), images resampled by group; NaN of too few of them.
        higher_is_better: Direction.
        unit: `px`, `%` or empty; `%` values are stored as fractions.
        num_images: Number of images scored.
        statistics: float64 (num_images, num_statistics): per-image sufficient statistics.
        reduce: Maps weighted sums of statistics (..., num_statistics) to scores (...,); None with `reweigh`.
        groups: Each image's group.
        rows: Per image, in the order of `statistics`: `sample_key` and whatever is worth listing; written beside the
            score.
        parts: Value per keypoint, class or threshold.
        reweigh: For a score that is no function of sums (a median, an average precision), whose `statistics` are then
            empty (num_images, 0): maps image weights (resamples, num_images) to scores (resamples,).
        notes: What a reader of the score must know: what was skipped, how it was resampled.
    """

    protocol: str
    value: float
    interval: tuple[float, float]
    higher_is_better: bool
    unit: str
    num_images: int
    statistics: Array
    reduce: Callable[[Array], Array] | None
    groups: tuple[str, ...]
    rows: tuple[dict[str, Any], ...] = ()
    parts: dict[str, float] = field(default_factory=dict)
    reweigh: Callable[[Array], Array] | None = None
    notes: tuple[str, ...] = ()

    def scores(self, weights: Array) -> Array:
        """The scores (resamples,) of the images weighted by `weights` (resamples, num_images)."""
        if self.reweigh is not None:
            return self.reweigh(weights)
        assert self.reduce is not None, "a result has either `reduce` or `reweigh`"
        return self.reduce(weights @ self.statistics)

    @property
    def num_groups(self) -> int:
        """Groups that the images are of."""
        return len(set(self.groups))

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.unit == "%" else (1, 2)
        low, high = (scale * bound for bound in self.interval)
        unit = f" {self.unit}" if self.unit else ""
        spread = f" [{low:.{digits}f}, {high:.{digits}f}]" if np.isfinite(self.interval).all() else ""
        counts = counts_text(self.num_images, self.num_groups)
        return f"{self.protocol} {scale * self.value:.{digits}f}{unit}{spread}, n = {counts}"

    def to_json(self) -> dict[str, Any]:
        """Everything but the callable, as plain JSON values (NaN becomes None)."""
        return {
            "protocol": self.protocol,
            "value": plain(self.value),
            "interval": [plain(bound) for bound in self.interval],
            "higher_is_better": self.higher_is_better,
            "unit": self.unit,
            "num_images": self.num_images,
            "num_groups": self.num_groups,
            "parts": {name: plain(value) for name, value in self.parts.items()},
            "notes": list(self.notes),
            "rows": list(self.rows),
        }


class Metric(ABC):
    """Accumulates predictions against the items' ground truth. Never reads ground truth to clean a prediction.

    Attributes:
        protocol: What is scored, for messages. Each result has its own name, which may add a measure or a threshold.
    """

    protocol: str = ""

    @abstractmethod
    def update(self, prediction: Prediction, item: Item) -> None:
        """Raises DataError for a prediction of another item, or an item that lacks what the protocol compares."""

    @abstractmethod
    def compute(self) -> list[Result]:
        """The scores: one for each measure, average or threshold, always the same ones in the same order."""

    @abstractmethod
    def merge(self, other: "Metric") -> None:
        """Takes over what another metric of the same class and settings has accumulated."""


Measured = TypeVar("Measured")


class ImageMetric(Metric, Generic[Measured]):
    """A metric that keeps what it measured of each item, by image: rows and resampling are of images.

    Args:
        measures: What there is a result of, in this order; by default all of the class's `measures`.
        seed: Seeds the bootstrap.
    """

    measures: tuple[Any, ...] = ("",)
    whole_images: bool = False  # whether an image has one answer, whatever the item

    def __init__(self, measures: Sequence[Any] | None = None, seed: int = 0) -> None:
        self.measures = self.measures if measures is None else tuple(measures)
        self.seed = seed
        self._measured: dict[str, dict[str, Measured]] = {}  # by the image's key, then by the item's
        self._groups: dict[str, str] = {}
        self._skipped: dict[str, set[str]] = {}  # by reason

    @abstractmethod
    def measure(self, prediction: Prediction, item: Item) -> Measured | str | None:
        """What `compute` needs of an item; why it is left out, as the notes state it; or None. Raises as `update`."""

    @abstractmethod
    def result(self, measure: Any) -> Result:
        """One of the results."""

    def compute(self) -> list[Result]:
        return [self.result(measure) for measure in self.measures]

    def update(self, prediction: Prediction, item: Item) -> None:
        check_answer(prediction, item)
        measured, key = self.measure(prediction, item), item.sample.key
        if isinstance(measured, str):
            self._skipped.setdefault(measured, set()).add(item.key)
        elif measured is not None:
            self._groups[key] = item.sample.group
            self._measured.setdefault(key, {})["" if self.whole_images else item.key] = measured

    def merge(self, other: Metric) -> None:
        assert isinstance(other, type(self)), "only metrics of one class can be merged"
        for key, items in other._measured.items():
            self._measured.setdefault(key, {}).update(items)
        self._groups |= other._groups
        for reason, skipped in other._skipped.items():
            self._skipped.setdefault(reason, set()).update(skipped)

    def images(self) -> list[tuple[dict[str, Any], list[Measured]]]:
        """Of each image, in order: the key and group of its row, and what was measured of its items."""
        return [
            ({"sample_key": key, "group": self._groups[key]}, [measured for _, measured in sorted(items.items())])
            for key, items in sorted(self._measured.items())
        ]

    def skip_notes(self) -> list[str]:
        """How many items could not be scored, for each reason."""
        return [f"{len(items)} {reason}" for reason, items in sorted(self._skipped.items())]


def check_answer(prediction: Prediction, item: Item) -> None:
    """Raises DataError if a prediction answers another item."""
    if prediction.sample_key != item.sample.key or (prediction.item_key and prediction.item_key != item.key):
        answered = prediction.item_key or prediction.sample_key
        raise DataError(f"a prediction of `{answered}` cannot be scored against `{item.key}`")


def threshold_text(threshold: float) -> str:
    """0.1 -> `0.10`: two decimals, more where needed."""
    text = f"{threshold:.2f}"
    return text if float(text) == threshold else f"{threshold:g}"
