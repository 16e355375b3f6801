"""What every metric is, and the Result that it returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gensight.samples import Array, Item, Prediction

NUM_RESAMPLES = 10_000


def plain(value: float) -> float | None:
    """A JSON value: NaN and infinities become None."""
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Result:
    """One score, under one protocol.

    Attributes:
        protocol: For example `pck-box@0.10`.
        value: The score; NaN if nothing could be scored.
        interval: Bootstrap 95 % interval (low, high), images resampled by group.
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

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.unit == "%" else (1, 2)
        low, high = (scale * bound for bound in self.interval)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.protocol} {scale * self.value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"

    def to_json(self) -> dict[str, Any]:
        """Everything but the callable, as plain JSON values (NaN becomes None)."""
        return {
            "protocol": self.protocol,
            "value": plain(self.value),
            "interval": [plain(bound) for bound in self.interval],
            "higher_is_better": self.higher_is_better,
            "unit": self.unit,
            "num_images": self.num_images,
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
    def update(self, prediction: Prediction, item: Item) -> None: ...

    @abstractmethod
    def compute(self) -> list[Result]:
        """The scores: one for each measure, average or threshold, always the same ones in the same order."""

    @abstractmethod
    def merge(self, other: "Metric") -> None:
        """Takes over what another metric of the same class and settings has accumulated."""
