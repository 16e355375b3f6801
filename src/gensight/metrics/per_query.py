"""Scores of models that are asked for one thing at a time: a metric sees the answers of its task alone."""

from collections.abc import Collection

from gensight.metrics.base import Metric, Result
from gensight.samples import Item, Prediction, merge_predictions


class Joined:
    """The answers of an image as one, made once for all metrics that ask in turn."""

    def __init__(self) -> None:
        self._answers: list[Prediction] = []
        self._merged: Prediction | None = None

    def of(self, answers: list[Prediction]) -> Prediction:
        """The answers of one image, merged."""
        same = len(answers) == len(self._answers) and all(a is b for a, b in zip(answers, self._answers, strict=True))
        if self._merged is None or not same:
            (self._merged,) = merge_predictions(answers)
            self._answers = answers
        return self._merged


class AskedMetric(Metric):
    """A metric of some tasks, on an image's answers joined together.

    Answers of one image must follow each other, as the items of an encoding do: where the next image's begin, what was
    said of the last one is merged and scored.

    Args:
        metric: What scores.
        tasks: Items of other tasks (`Query.task`) are passed over.
        merged: Whether an image's answers are joined before they are scored.
        joined: What was joined last; metrics that share their counts share it, and so see one and the same object.
    """

    def __init__(
        self, metric: Metric, tasks: Collection[str], merged: bool = True, joined: "Joined | None" = None
    ) -> None:
        self.metric, self.tasks, self.merged = metric, frozenset(tasks), merged
        self._joined = Joined() if joined is None else joined
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
            self.metric.update(self._joined.of([prediction for prediction, _ in self._waiting]), self._waiting[0][1])
            self._waiting = []

    def compute(self) -> Result:
        self._flush()
        return self.metric.compute()

    def merge(self, other: Metric) -> None:
        assert isinstance(other, AskedMetric), "only metrics of one class can be merged"
        self._flush()
        other._flush()
        self.metric.merge(other.metric)
