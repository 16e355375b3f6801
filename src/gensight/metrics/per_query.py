"""Scores of models that answer one query at a time: a metric sees the answers of its task alone."""

from collections.abc import Collection

from gensight.metrics.base import Metric, Result
from gensight.samples import Item, Prediction, merge_predictions


class PerQueryMetric(Metric):
    """A metric of some tasks, on an image's answers joined together.

    Answers of one image must follow each other, as the items of an encoding do: where the next image's begin, the
    last image's answers are merged and scored.

    Args:
        metric: Computes the scores.
        tasks: Items of other tasks (`Query.task`) are passed over.
        merged: Whether an image's answers are joined before they are scored.
    """

    def __init__(self, metric: Metric, tasks: Collection[str], merged: bool = True) -> None:
        self.metric, self.tasks, self.merged = metric, frozenset(tasks), merged
        self.protocol = metric.protocol
        self._waiting: list[tuple[Prediction, Item]] = []

    def update(self, prediction: Prediction, item: Item) -> None:
        """Raises as the metric does; late, where answers are merged."""
        if item.query is None or item.query.task not in self.tasks:
            return
        if not self.merged:
            self.metric.update(prediction, item)
            return
        if self._waiting and self._waiting[0][1].sample.key != item.sample.key:
            self._flush()
        self._waiting.append((prediction, item))

    def _flush(self) -> None:
        if self._waiting:
            (merged,) = merge_predictions([prediction for prediction, _ in self._waiting])
            self.metric.update(merged, self._waiting[0][1])
            self._waiting = []

    def compute(self) -> list[Result]:
        self._flush()
        return self.metric.compute()

    def merge(self, other: Metric) -> None:
        assert isinstance(other, PerQueryMetric), "only metrics of one class can be merged"
        self._flush()
        other._flush()
        self.metric.merge(other.metric)
