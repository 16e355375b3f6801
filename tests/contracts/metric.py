"""Contract tests of metrics. Inherit `MetricContract`, and define a perfect and a worst prediction."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import paired_difference
from gensight.samples import Item, Prediction

Answers = Sequence[tuple[Prediction, Item]]


def score(metric: Metric, answers: Answers) -> Result:
    for prediction, item in answers:
        metric.update(prediction, item)
    return only(metric)


def only(metric: Metric) -> Result:
    """The one result of a metric that has one."""
    (result,) = metric.compute()
    return result


def scores(metric: Metric, answers: Answers) -> dict[str, Result]:
    """Every result by its protocol."""
    for prediction, item in answers:
        metric.update(prediction, item)
    results = metric.compute()
    return {result.protocol: result for result in results}


class MetricContract:
    """The property tests that each metric inherits."""

    best: float
    worst: float

    def metric(self) -> Metric:
        """A fresh metric with one result."""
        raise NotImplementedError

    def answers(self, kind: str) -> Answers:
        """At least six answers over at least four images: `perfect`, `worst`, or `mixed` (neither)."""
        raise NotImplementedError

    def test_perfect_answers_score_best(self) -> None:
        result = score(self.metric(), self.answers("perfect"))
        assert result.value == pytest.approx(self.best, abs=1e-9)
        assert result.interval == pytest.approx((self.best, self.best), abs=1e-9)

    def test_worst_answers_score_worst(self) -> None:
        assert score(self.metric(), self.answers("worst")).value == pytest.approx(self.worst, abs=1e-9)

    def test_mixed_answers_lie_between_with_an_interval_around(self) -> None:
        result = score(self.metric(), self.answers("mixed"))
        assert min(self.best, self.worst) < result.value < max(self.best, self.worst)
        low, high = result.interval
        assert low <= result.value <= high
        assert low < high

    def test_direction(self) -> None:
        assert only(self.metric()).higher_is_better == (self.best > self.worst)

    def test_nothing_scored(self) -> None:
        result = only(self.metric())
        assert np.isnan(result.value)
        assert np.isnan(result.interval).all()
        assert (result.num_images, result.rows, result.groups) == (0, (), ())

    def test_order_does_not_matter(self) -> None:
        answers = list(self.answers("mixed"))
        first = score(self.metric(), answers)
        again = score(self.metric(), [answers[i] for i in np.random.default_rng(0).permutation(len(answers))])
        assert again.to_json() == first.to_json()

    def test_merging_equals_one_pass(self) -> None:
        answers = list(self.answers("mixed"))
        whole = score(self.metric(), answers)
        parts = [self.metric(), self.metric(), self.metric()]
        for number, (prediction, item) in enumerate(answers):  # the third part stays empty
            parts[number % 2].update(prediction, item)
        for part in parts[1:]:
            parts[0].merge(part)
        assert only(parts[0]).to_json() == whole.to_json()

    def test_value_is_the_score_of_equal_weights(self) -> None:
        result = score(self.metric(), self.answers("mixed"))
        weights = np.stack([np.ones(result.num_images), np.full(result.num_images, 3.0)])
        assert result.scores(weights) == pytest.approx([result.value] * 2)

    def test_repeating_an_image_equals_weighting_it(self) -> None:
        answers = list(self.answers("mixed"))
        first_key = min(item.sample.key for _, item in answers)
        result = score(self.metric(), answers)
        weights = np.array([[0.0 if row["sample_key"] == first_key else 1.0 for row in result.rows]])
        rest = score(self.metric(), [(p, i) for p, i in answers if i.sample.key != first_key])
        assert result.scores(weights) == pytest.approx([rest.value])

    def test_rows_and_statistics_are_per_image(self) -> None:
        result = score(self.metric(), self.answers("mixed"))
        keys = [row["sample_key"] for row in result.rows]
        assert len(keys) == len(set(keys)) == result.num_images == len(result.statistics) == len(result.groups)
        assert all("score" in row for row in result.rows)

    def test_difference_from_itself_is_zero(self) -> None:
        result = score(self.metric(), self.answers("mixed"))
        difference = paired_difference(result, result, num_resamples=200)
        assert (difference.value, difference.interval, difference.share_better) == (0.0, (0.0, 0.0), 0.5)

    def test_better_answers_are_better_in_most_resamples(self) -> None:
        perfect, mixed = (score(self.metric(), self.answers(kind)) for kind in ("perfect", "mixed"))
        difference = paired_difference(perfect, mixed, num_resamples=200)
        assert difference.share_better > 0.9
        assert (difference.value > 0) == difference.higher_is_better

    def test_json_has_no_nan(self) -> None:
        for result in (only(self.metric()), score(self.metric(), self.answers("mixed"))):
            text = json.dumps(result.to_json(), allow_nan=False)  # refuses NaN
            assert json.loads(text)["protocol"] == result.protocol
