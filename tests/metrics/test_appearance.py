"""Telling the same from another."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.metrics.appearance import TripletScores, rank_auc
from gensight.samples import Item, Prediction, Relation, Sample
from tests.contracts.metric import MetricContract, score
from tests.metrics.subjects import as_prediction, no_image

SIZE = (20, 30)


def triplet(first: str, third: str = "z", group: str = "") -> Item:
    samples = tuple(Sample(key, SIZE, no_image, group=group or key) for key in (first, "b", third))
    return Item(samples, relation=Relation("triplet"))


def answer(item: Item, similarities: tuple[float, ...] | None) -> Prediction:
    return as_prediction(item, similarities=similarities)


def answers(kind: str) -> list[tuple[Prediction, Item]]:
    items = [triplet(f"image{number // 2}", f"z{number}") for number in range(12)]
    predictions = {
        "perfect": [(0.5 + 0.04 * n, -0.04 * n) for n in range(12)],
        "worst": [None] * 12,
        "mixed": [(0.2, 0.6 - 0.01 * n) if n % 3 == 0 else (0.7, 0.3 + 0.03 * n) for n in range(12)],
    }
    return [(answer(item, one), item) for item, one in zip(items, predictions[kind], strict=True)]


class TestTwoAlternative(MetricContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return TripletScores()

    def answers(self, kind):
        return answers(kind)

    def test_by_hand(self):
        items = [triplet(key) for key in "pqrs"]
        predictions = [(0.9, 0.2), (0.3, 0.3), (0.1, 0.2), None]
        result = score(self.metric(), [(answer(item, one), item) for item, one in zip(items, predictions, strict=True)])
        assert result.value == pytest.approx((1 + 0.5 + 0 + 0) / 4)
        assert result.notes == ("1 triplets had no predicted similarities",)
        assert result.rows[0]["margin"] == pytest.approx(0.7)
        assert result.rows[3]["margin"] is None


class TestSameDifferentAuc(MetricContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return TripletScores("same-different-auc")

    def answers(self, kind):
        return answers(kind)

    def test_by_hand(self):
        # Positives 0.9, 0.5; negatives 0.6, 0.5: of four pairs two are right, one ties, one is wrong.
        items = [triplet("p"), triplet("q")]
        predictions = [(answer(items[0], (0.9, 0.6)), items[0]), (answer(items[1], (0.5, 0.5)), items[1])]
        assert score(self.metric(), predictions).value == pytest.approx(2.5 / 4)


def test_weighted_auc_equals_repeated_triplets() -> None:
    rng = np.random.default_rng(3)
    images = [np.round(rng.normal([0.5, 0], 1, (count, 2)), 1) for count in (1, 3, 2, 4)]
    weights = np.array([[2.0, 0, 1, 3], [1, 1, 1, 1], [0, 0, 0, 0]])
    for row, value in zip(weights, rank_auc(images)(weights), strict=True):
        positive, negative = np.concatenate([np.repeat(one, int(w), 0) for one, w in zip(images, row, strict=True)]).T
        if len(positive) == 0:
            assert np.isnan(value)
            continue
        gaps = positive[:, None] - negative[None]
        assert value == pytest.approx(((gaps > 0) + 0.5 * (gaps == 0)).mean())


def test_chance_is_one_half() -> None:
    rng = np.random.default_rng(4)
    predictions = [
        (answer(item, tuple(rng.normal(0, 1, 2).tolist())), item) for item in (triplet(f"{n}") for n in range(120))
    ]
    for metric in (TripletScores(), TripletScores("same-different-auc")):
        result = score(metric, predictions)
        assert result.interval[0] < 0.5 < result.interval[1]


def test_what_is_no_triplet_is_refused() -> None:
    item = triplet("a")
    with pytest.raises(DataError, match="`two-alternative` needs triplets of images"):
        TripletScores().update(answer(item, (1.0, 0.0)), Item(item.samples))
    with pytest.raises(DataError, match="a triplet has two similarities, got 1"):
        TripletScores().update(answer(item, (1.0,)), item)
    with pytest.raises(DataError, match="cannot be scored against"):
        TripletScores().update(answer(triplet("c"), (1.0, 0.0)), item)
