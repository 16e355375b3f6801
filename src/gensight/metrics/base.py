"""What every metric is, and the Result that it returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from gensight.samples import Array, Item, Prediction

NUM_RESAMPLES = 10_000


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
        reduce: Maps weighted sums of statistics (..., num_statistics) to scores (...,).
        groups: Each image's group.
        rows: Per image: `sample_key` and whatever is worth listing; written beside the score.
        parts: Value per keypoint, class or threshold.
    """

    protocol: str
    value: float
    interval: tuple[float, float]
    higher_is_better: bool
    unit: str
    num_images: int
    statistics: Array
    reduce: Callable[[Array], Array]
    groups: tuple[str, ...]
    rows: tuple[dict[str, Any], ...] = ()
    parts: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.unit == "%" else (1, 2)
        low, high = (scale * bound for bound in self.interval)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.protocol} {scale * self.value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"

    def to_json(self) -> dict[str, Any]:
        """Everything but the callable, as plain JSON values (NaN becomes None)."""

        def plain(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return {
            "protocol": self.protocol,
            "value": plain(self.value),
            "interval": [plain(bound) for bound in self.interval],
            "higher_is_better": self.higher_is_better,
            "unit": self.unit,
            "num_images": self.num_images,
            "parts": {name: plain(value) for name, value in self.parts.items()},
            "rows": list(self.rows),
        }


class Metric(ABC):
    """Accumulates predictions against the items' ground truth. Never reads ground truth to clean a prediction."""

    protocol: str = ""

    @abstractmethod
    def update(self, prediction: Prediction, item: Item) -> None: ...

    @abstractmethod
    def compute(self) -> Result: ...

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Takes over what another instance of the same metric has accumulated."""
