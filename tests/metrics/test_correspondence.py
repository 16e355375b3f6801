"""The share of points that are found in another image."""

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.metrics.correspondence import THRESHOLDS, MatchingPck
from gensight.samples import Instance, Item, Matches, Prediction, Relation, Sample
from tests.contracts.metric import MetricContract, score
from tests.metrics.subjects import as_prediction, no_image

SIZE = (200, 300)
NAN = (np.nan, np.nan)


def pair(first: str, points, second: str = "other", boxes=None, instances=None, group: str = "") -> Item:
    """The truth lies where the points are."""
    points = np.asarray(points, dtype=np.float64)
    tracks = np.stack([np.where(np.isfinite(points), points, 50.0), points])
    samples = (Sample(first, SIZE, no_image, group=group), Sample(second, SIZE, no_image, instances))
    boxes = None if boxes is None else np.asarray(boxes, dtype=np.float64)
    return Item(samples, relation=Relation("tracks", tracks, boxes=boxes))


def answer(item: Item, points) -> Prediction:
    points = None if points is None else np.asarray(points, dtype=np.float64)
    matches = None if points is None else Matches(points, np.ones(len(points), np.float32))
    return as_prediction(item, matches=matches)


def pairs() -> list[Item]:
    rng = np.random.default_rng(0)
    boxes = [(0, 0, 50, 50), (0, 0, 80, 100)]
    items = []
    for number in range(10):
        points = rng.uniform(0, 200, (3 + number, 2))
        points[0] = np.nan
        items.append(pair(f"image{number // 2}", points, f"other{number}", boxes))
    return items


def answers(kind: str, items: list[Item]) -> list[tuple[Prediction, Item]]:
    rng = np.random.default_rng(1)
    predictions = []
    for number, item in enumerate(items):
        truth = item.relation.tracks[1]
        if kind == "perfect":
            predictions.append((answer(item, truth), item))
        elif kind == "worst":
            predictions.append((answer(item, None), item))
        else:
            predictions.append((answer(item, truth + rng.normal(0, 1 + 4 * number, truth.shape)), item))
    return predictions


class _Contract(MetricContract):
    best, worst = 1.0, 0.0

    def answers(self, kind):
        return answers(kind, pairs())


class TestImagePerPoint(_Contract):
    def metric(self):
        return MatchingPck("img", ("point",), (0.1,))

    def test_by_hand(self):
        # The longer side is 300 px, so 30 px pass. One of three, and one of one: 2 of 4 points, (1/3 + 1) / 2 of pairs.
        one = pair("a", [(10, 10), (50, 50), (90, 90), NAN])
        two = pair("b", [(100, 100), NAN])
        predictions = [
            (answer(one, [(10, 40), (50, 81), NAN, (0, 0)]), one),  # 30 px, 31 px, missing, not scored
            (answer(two, [(118, 124), (0, 0)]), two),  # 30 px
        ]
        per_point, per_image = (
            score(MatchingPck("img", (average,), (0.1,)), predictions) for average in ("point", "image")
        )
        assert per_point.value == pytest.approx(2 / 4)
        assert per_image.value == pytest.approx((1 / 3 + 1) / 2)
        assert (per_point.protocol, per_image.protocol) == ("pck-img-point@0.10", "pck-img-image@0.10")
        assert [row["num_points"] for row in per_point.rows] == [3, 1]
        assert per_point.notes[:2] == ("4 points of 2 pairs were scored", "1 points were not predicted")


class TestImagePerImage(_Contract):
    def metric(self):
        return MatchingPck("img", ("image",), (0.05,))


class TestBoxPerPoint(_Contract):
    def metric(self):
        return MatchingPck("box", ("point",), (0.1,))

    def test_the_box_is_the_second_images(self):
        boxes = [(0, 0, 500, 10), (10, 10, 30, 110)]  # 100 px, so 10 px pass
        item = pair("a", [(50, 50), (60, 60)], boxes=boxes)
        assert score(self.metric(), [(answer(item, [(50, 60), (60, 71)]), item)]).value == 0.5

    def test_or_that_of_its_only_instance(self):
        alone = pair("a", [(50, 50)], instances=(Instance(box=np.array([0.0, 0, 10, 40])),))
        crowd = pair("b", [(50, 50)], instances=(Instance(box=np.zeros(4)), Instance(box=np.zeros(4))))
        result = score(self.metric(), [(answer(item, [(50, 54)]), item) for item in (alone, crowd)])
        assert (result.value, result.num_images) == (1.0, 1)
        assert result.notes[-1] == "1 pairs could not be scored: no box is known in the second image"


class TestBoxPerImage(_Contract):
    def metric(self):
        return MatchingPck("box", ("image",), (0.2,))


def test_pairs_without_a_common_point_say_nothing() -> None:
    item, empty = pair("a", [(10, 10)]), pair("b", [NAN, NAN])
    result = score(
        MatchingPck("img", ("point",), (0.1,)), [(answer(item, [(10, 10)]), item), (answer(empty, None), empty)]
    )
    assert (result.value, result.num_images) == (1.0, 1)
    assert "1 pairs have no common point" in result.notes


def test_groups_are_resampled() -> None:
    items = [pair(f"{n}", [(10, 10)], group=f"video{n % 2}") for n in range(4)]
    assert (
        "2 groups of images were resampled"
        in score(MatchingPck("img", ("point",), (0.1,)), answers("perfect", items)).notes
    )


def test_every_average_has_every_threshold() -> None:
    names = [result.protocol for result in MatchingPck("box").compute()]
    assert len(names) == len(set(names)) == 2 * len(THRESHOLDS)
    assert names[:2] == ["pck-box-point@0.01", "pck-box-point@0.05"]


def test_answers_to_other_questions_are_refused() -> None:
    one, two = pair("a", [(10, 10)]), pair("a", [(10, 10)], second="third")
    with pytest.raises(DataError, match=r"a prediction of `a\+other` cannot be scored against `a\+third`"):
        MatchingPck().update(answer(one, [(10, 10)]), two)
    with pytest.raises(DataError, match="2 matches cannot be scored against 1 points"):
        MatchingPck().update(answer(one, [(10, 10), (1, 1)]), one)
    with pytest.raises(DataError, match="needs pairs of images with tracks"):
        MatchingPck().update(answer(one, None), Item(one.samples))
    with pytest.raises(ConfigError, match="must be positive, got 0"):
        MatchingPck(thresholds=(0,))
