"""What metrics of average precision share: all that is found in an image, for all its items, against all truths."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from gensight.metrics.base import NUM_RESAMPLES, ImageMetric, Metric, Result
from gensight.metrics.bootstrap import make_result, mean_of_known
from gensight.samples import Array, Item, Prediction, Sample

_BUDGET = 30_000_000  # detections x resamples; beyond it fewer resamples are drawn, with a note


@dataclass(frozen=True, eq=False)
class Detection:
    """Something found in an image, with its score."""

    score: float


Found = TypeVar("Found", bound=Detection)
Truth = TypeVar("Truth")


class ApMetric(ImageMetric[list[Found]], Generic[Found, Truth]):
    """Collects what is found in images, and what is there.

    Args:
        seed: Seeds the bootstrap.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._truths: dict[str, list[Truth]] = {}  # by the image's key

    @abstractmethod
    def truths(self, sample: Sample) -> list[Truth]:
        """What there is to find in an image."""

    @abstractmethod
    def found(self, prediction: Prediction) -> list[Found]:
        """What a prediction finds."""

    def measure(self, prediction: Prediction, item: Item) -> list[Found]:
        if item.sample.key not in self._truths:
            self._truths[item.sample.key] = self.truths(item.sample)
        return self.found(prediction)

    def merge(self, other: Metric) -> None:
        super().merge(other)
        assert isinstance(other, type(self))
        self._truths = other._truths | self._truths

    def detections(self) -> list[tuple[dict[str, Any], list[Found], list[Truth]]]:
        """Of each image: the head of its row, what is found by falling score, and the truths.

        Equal scores stay in the order of their items.
        """
        found = []
        for head, items in self.images():
            by_score = sorted((one for of in items for one in of), key=lambda one: -one.score)
            found.append((head, by_score, self._truths[head["sample_key"]]))
        return found

    def ap_result(
        self, reweigh: Callable[[Array], Array], parts: dict[str, float], rows: Sequence[dict[str, Any]]
    ) -> Result:
        num_found = sum(row["num_detections"] for row in rows)
        num_resamples = min(NUM_RESAMPLES, max(1_000, _BUDGET // max(1, num_found)))
        few = [f"{num_resamples:,} resamples"] if num_resamples < NUM_RESAMPLES else []
        return make_result(
            self.protocol,
            reweigh=reweigh,
            rows=rows,
            higher_is_better=True,
            unit="%",
            parts=parts,
            notes=self.skip_notes() + few,
            seed=self.seed,
            num_resamples=num_resamples,
        )


def parts_by_area(letters: str, values: Mapping[str, Array]) -> dict[str, float]:
    """`AP`, `AP50`, `AP75`, and `APs` and its like, from each area's values (num_categories, num_thresholds)."""
    parts = {"": values["all"], "50": values["all"][:, 0], "75": values["all"][:, 5]}
    parts |= {area[0]: of for area, of in values.items() if area != "all"}
    return {f"{letters}{name}": float(mean_of_known(of.ravel())) for name, of in parts.items()}


def mean_over_categories(by_category: Sequence[Array], num_resamples: int) -> Array:
    """(resamples,): the mean over the categories whose score (resamples,) is known."""
    return mean_of_known(np.stack([np.full(num_resamples, np.nan), *by_category], axis=-1))
