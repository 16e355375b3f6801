"""Angles between normals: perfect, worst, by hand, and that leaving pixels out never pays."""

from functools import partial

import numpy as np
import pytest

from gensight.encodings.surface_normals import INTRINSICS, to_colours
from gensight.errors import DataError
from gensight.metrics.normals import MEASURES, AngularError
from gensight.samples import Depth, Item, Prediction, Sample, ScoreMap, View
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import as_prediction, given, no_image

SIZE = (12, 16)
CAMERA = np.array([[20.0, 0.0, 8.0], [0.0, 20.0, 6.0], [0.0, 0.0, 1.0]])
VIEW = View(SIZE, SIZE, np.eye(3))


def wall(key: str = "a", depth: float = 2.0) -> Item:
    """An item of a wall that faces the camera."""
    known = partial(given, Depth(np.full(SIZE, depth, np.float32)))
    return Item((Sample(key, SIZE, no_image, depth=known, group=key, extras={INTRINSICS: CAMERA}),))


def answer(of: Item, degrees: float, view: View = VIEW) -> Prediction:
    """Normals that are turned away from the wall's by an angle."""
    normal = np.array([np.sin(np.radians(degrees)), 0.0, -np.cos(np.radians(degrees))])
    colours = np.broadcast_to(to_colours(normal)[:, None, None], (3, *SIZE)).astype(np.float32)
    return as_prediction(of, maps={"normals": ScoreMap(colours, view, "picture")})


class _Normals(MetricContract):
    best, worst = 0.0, 180.0
    measure = "mean"

    def metric(self):
        return AngularError([self.measure])

    def answers(self, kind):
        items = [wall(f"image{number}") for number in range(6)]
        degrees = {"perfect": [0] * 6, "worst": [180] * 6, "mixed": [5, 10, 20, 25, 40, 60]}[kind]
        return [(answer(of, angle), of) for of, angle in zip(items, degrees, strict=True)]


class TestMean(_Normals):
    pass


class TestMedian(_Normals):
    measure = "median"


class TestWithin(_Normals):
    best, worst = 1.0, 0.0
    measure = "within-22.5"


def test_by_hand():
    answers = [(answer(of, angle), of) for of, angle in ((wall("a"), 8), (wall("b"), 20), (wall("c"), 45))]
    results = {name.split("/")[1]: result for name, result in scores(AngularError(), answers).items()}
    assert tuple(results) == MEASURES
    assert results["mean"].value == pytest.approx((8 + 20 + 45) / 3, abs=1e-3)
    assert results["median"].value == pytest.approx(20, abs=0.06)
    shares = [results[f"within-{limit}"].value for limit in ("11.25", "22.5", "30")]
    assert shares == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert (results["mean"].unit, results["within-30"].unit) == ("degrees", "%")


def test_what_is_not_predicted_is_as_wrong_as_can_be():
    of = wall()
    nothing = as_prediction(of)
    half = View(SIZE, (12, 8), np.eye(3))
    mean = AngularError(("mean",))
    assert score(mean, [(nothing, of)]).value == 180
    mean = AngularError(("mean",))
    assert score(mean, [(answer(of, 0, half), of)]).value == pytest.approx(90, abs=10)


def test_images_without_a_normal_are_counted():
    mean = AngularError(("mean",))
    result = score(mean, [(answer(wall("a"), 10), wall("a")), (answer(wall("b"), 0), wall("b", float("nan")))])
    assert result.value == pytest.approx(10, abs=1e-3)
    assert result.notes[0] == "1 images without a known normal were not scored"


def test_mistakes():
    with pytest.raises(DataError, match="needs images whose depth and intrinsics"):
        AngularError().update(answer(wall(), 0), Item((Sample("a", SIZE, no_image),)))
    with pytest.raises(DataError, match="cannot be scored against"):
        AngularError().update(answer(wall("a"), 0), wall("b"))
