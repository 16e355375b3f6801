"""Depth errors: against formulas by hand, and the trap of scores that an empty answer wins."""

from functools import partial

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.metrics.depth import MEASURES, DepthScores, depth_errors
from gensight.samples import Depth, Item, Prediction, Sample
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import as_prediction, given, no_image

SIZE = (20, 30)


def item(values, key="a") -> Item:
    values = np.asarray(values, dtype=np.float32)
    return Item((Sample(key, values.shape, no_image, depth=partial(given, Depth(values)), group=key),))


def answer(of: Item, values, kind="metric") -> Prediction:
    return as_prediction(of, depth=Depth(np.asarray(values, np.float32), kind))


def room(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 8, SIZE).astype(np.float32)


class _Depths(MetricContract):
    best, worst = 0.0, 0.5
    measure = "absrel"

    def metric(self):
        return DepthScores(measures=(self.measure,))

    def answers(self, kind):
        found = []
        for number in range(6):
            of = item(room(number), f"image{number}")
            scale = {"perfect": 1.0, "worst": 0.5, "mixed": 1 + 0.05 * (1 + number)}[kind]
            found.append((answer(of, scale * room(number)), of))
        return found


class TestAbsRel(_Depths):
    pass


class TestDelta1(_Depths):
    best, worst = 1.0, 0.0
    measure = "delta1"


def test_by_hand():
    errors = depth_errors(np.array([2.0, 2.0]), np.array([1.0, 4.0]))
    assert errors["absrel"] == pytest.approx((1 + 0.5) / 2)
    assert errors["sqrel"] == pytest.approx((1 + 1) / 2)
    assert errors["rmse"] == pytest.approx(np.sqrt((1 + 4) / 2))
    assert errors["rmse-log"] == pytest.approx(np.log(2))
    assert errors["log10"] == pytest.approx(np.log10(2))
    assert (errors["delta1"], errors["delta2"], errors["delta3"]) == (0, 0, 0)


def test_trap_all_zero_depth_must_not_score_0():
    """An empty answer scores badly in every protocol and measure; where a shift is forgiven, as a constant does."""
    of = item(room(0))
    for protocol in ("depth-metric", "depth-median-scaled", "depth-affine"):
        perfect = scores(DepthScores(protocol), [(answer(of, room(0)), of)])
        assert len(perfect) == len(MEASURES)
        for values in (np.zeros(SIZE), np.full(SIZE, np.nan)):
            for name, result in scores(DepthScores(protocol), [(answer(of, values), of)]).items():
                far = 0.9 if protocol == "depth-affine" else 0.05
                assert (result.value < far) if result.higher_is_better else (result.value > 0.1)
                assert abs(perfect[name].value - float(result.higher_is_better)) < 1e-3
                alone = score(DepthScores(protocol, (name.split("/")[1],)), [(answer(of, values), of)])
                assert alone.to_json() == result.to_json()
    assert score(DepthScores("depth-metric", ("absrel",)), [(answer(of, np.zeros(SIZE)), of)]).value > 0.99


def test_noise_of_20_percent_scores_what_it_is():
    rng = np.random.default_rng(0)
    of = item(room(0))
    noisy = room(0) * np.exp(rng.normal(0, 0.2, SIZE))
    expected = float(np.sqrt(np.mean((np.clip(noisy, 1e-3, 10) - room(0)) ** 2)))
    assert score(DepthScores("depth-metric", ("rmse",)), [(answer(of, noisy), of)]).value == pytest.approx(
        expected, rel=1e-4
    )


def test_eigens_crop_scores_the_middle_alone():
    truth = np.full((480, 640), 2.0)
    of = item(truth)
    wrong_rim = np.full((480, 640), 9.0)
    wrong_rim[45:471, 41:601] = 2.0
    metric = DepthScores("depth-metric", ("absrel",), crop="eigen")
    result = score(metric, [(answer(of, wrong_rim), of)])
    assert result.value == pytest.approx(0)
    assert "inside Eigen's crop" in result.notes
    assert score(DepthScores("depth-metric", ("absrel",)), [(answer(of, wrong_rim), of)]).value > 0.5
    small = item(room(0))
    with pytest.raises(DataError, match="Eigen's crop is of images of"):
        DepthScores("depth-metric", crop="eigen").update(answer(small, room(0)), small)


def test_modes_forgive_what_they_name():
    of = item(room(1))
    scaled, shifted = 2 * room(1) / 4, 0.3 * room(1) + 1
    assert score(DepthScores("depth-median-scaled", ("absrel",)), [(answer(of, scaled), of)]).value == pytest.approx(
        0, abs=1e-5
    )
    assert score(DepthScores("depth-affine", ("absrel",)), [(answer(of, shifted), of)]).value == pytest.approx(
        0, abs=1e-5
    )
    inverse = answer(of, 5 / room(1) - 0.1, "affine")
    assert score(DepthScores("depth-affine", ("absrel",)), [(inverse, of)]).value == pytest.approx(0, abs=1e-4)
    with pytest.raises(ConfigError, match="this prediction is affine"):
        DepthScores("depth-metric").update(inverse, of)
