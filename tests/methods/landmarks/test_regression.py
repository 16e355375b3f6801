"""Keypoints fitted to landmarks: what each rule finds, and what it cannot."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.methods.landmarks.regression import REGRESSORS, fit


def made(count: int, offset: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(size=(count, 6))
    return landmarks, landmarks @ rng.normal(size=(6, 4)) + offset


@pytest.mark.parametrize("regressor", ["affine", "ridge"])
def test_an_affine_relation_is_found(regressor: str) -> None:
    landmarks, points = made(40, 0.7)
    weights, offset = fit(landmarks, points, np.ones_like(points, dtype=bool), regressor)
    np.testing.assert_allclose(landmarks @ weights + offset, points, atol=1e-4)


@pytest.mark.parametrize(("regressor", "origin"), [("linear", 0.5), ("linear-corner", 0.0)])
def test_without_intercept_the_origin_stays_where_it_is(regressor: str, origin: float) -> None:
    landmarks, points = made(40, 0.7)
    weights, offset = fit(landmarks, points, np.ones_like(points, dtype=bool), regressor)
    np.testing.assert_allclose(np.full(6, origin) @ weights + offset, origin, atol=1e-9)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_unknown_values_are_not_looked_at(regressor: str) -> None:
    landmarks, points = made(30, 0.2)
    known = np.ones_like(points, dtype=bool)
    known[::3, 1] = False
    spoilt = np.where(known, points, 1e6)
    both = [fit(landmarks, values, known, regressor) for values in (points, spoilt)]
    np.testing.assert_array_equal(both[0][0], both[1][0])
    np.testing.assert_array_equal(both[0][1], both[1][1])


def test_ridge_beats_least_squares_on_noise_with_few_labels() -> None:
    rng = np.random.default_rng(1)
    landmarks = rng.normal(0.5, 0.1, size=(210, 12))
    points = landmarks[:, :2] + rng.normal(0, 0.05, size=(210, 2))
    known = np.ones((10, 2), dtype=bool)

    def error(regressor: str) -> float:
        weights, offset = fit(landmarks[:10], points[:10], known, regressor)
        return float(np.abs(landmarks[10:] @ weights + offset - points[10:]).mean())

    assert error("ridge") < error("affine")


def test_one_label_is_the_mean() -> None:
    weights, offset = fit(np.ones((1, 4)), np.array([[0.3, 0.6]]), np.ones((1, 2), dtype=bool), "ridge")
    assert not weights.any()
    np.testing.assert_allclose(offset, [0.3, 0.6])


def test_a_keypoint_that_nobody_labelled_is_put_amid_the_others() -> None:
    points = np.array([[0.2, 0.4, 9.0, 9.0], [0.4, 0.8, 9.0, 9.0]])
    known = np.ones((2, 4), dtype=bool)
    known[:, 2:] = False
    weights, offset = fit(np.ones((2, 2)), points, known, "ridge")
    assert not weights[:, 2:].any()
    np.testing.assert_allclose(offset[2:], [0.3, 0.6])
    with pytest.raises(DataError, match="no keypoint is labelled"):
        fit(np.ones((2, 2)), points, ~np.ones((2, 4), dtype=bool), "ridge")
