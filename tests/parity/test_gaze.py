"""Gaze scores and targets, against plain transcriptions of Chong et al., Gaze-LLE, Tonini et al. and Sharingan."""

import numpy as np
import pytest

from gensight.encodings.gaze import quantised_gaussian
from gensight.metrics.gaze.scores import PROTOCOLS, auc
from tests.parity.plain_gaze import plain_auc, plain_image_auc, plain_rectangle_auc

SIZE = (60, 80)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("name", ["gazefollow", "chong", "gazelle", "tonini"])
def test_areas_over_the_image_within_2e_4(rng, name):
    for _ in range(6):
        heatmap, points = rng.random((64, 64)) ** 3, rng.random((rng.integers(1, 11), 2))
        points[0] = 1.0  # the last pixel
        size = (int(rng.integers(70, 130)), int(rng.integers(70, 130)))
        known = plain_image_auc(heatmap, points, size, quantised=name == "chong")
        assert auc(heatmap.astype(np.float32), points, size, PROTOCOLS[name]) == pytest.approx(known, abs=2e-4)


def test_sharingan_on_the_maps_own_grid_within_1e_12(rng):
    heatmap, points = rng.random((64, 64)).astype(np.float32), rng.random((7, 2))
    mask = np.zeros((64, 64), bool)
    for x, y in points:
        mask[int(y * 63), int(x * 63)] = True
    assert auc(heatmap, points, SIZE, PROTOCOLS["sharingan"]) == pytest.approx(plain_auc(heatmap, mask), abs=1e-12)


@pytest.mark.parametrize("last_included", [True, False])
def test_rectangles_of_video_within_1e_12(rng, last_included):
    name = "video" if last_included else "gazelle-video"
    for point in [*rng.random((6, 2)), np.array([0.999, 0.999]), np.array([0.0, 0.0]), np.array([0.02, 0.99])]:
        heatmap = rng.random((64, 64)).astype(np.float32)
        known = plain_rectangle_auc(heatmap, point, last_included)
        assert auc(heatmap, point[None], SIZE, PROTOCOLS[name]) == pytest.approx(known, abs=1e-12)


def plain_kernel(x, y, corners):
    """Sigma 3, 19 cells wide, peak 1; `corners` gives an axis's first cell and the one after its last."""
    drawn = np.zeros((64, 64))
    (left, right), (top, bottom) = corners(x), corners(y)
    for v in range(max(top, 0), min(bottom, 64)):
        for u in range(max(left, 0), min(right, 64)):
            drawn[v, u] = np.exp(-((u - left - 9) ** 2 + (v - top - 9) ** 2) / (2 * 3.0**2))
    return drawn


CORNERS = {  # int() drops the fraction, towards 0
    "chong": lambda place: (int(place - 9), int(place + 10)),
    "gaze-lle": lambda place: (int(place) - 9, int(place) + 10),
}


@pytest.mark.parametrize("kernel", CORNERS)
def test_quantised_targets_within_1e_7(rng, kernel):
    for x, y in [*(rng.random((30, 2)) * 64), (0.2, 63.9), (8.5, 8.5), (3.7, 5.1)]:
        drawn = quantised_gaussian(np.array([x, y]), (64, 64), 3.0, kernel)
        np.testing.assert_allclose(drawn, plain_kernel(x, y, CORNERS[kernel]), atol=1e-7)


def test_the_two_kernels_differ_by_0_27_near_the_corner_and_nowhere_else(rng):
    drawn = [quantised_gaussian(np.array([6.3, 7.8]), (64, 64), 3.0, kernel) for kernel in CORNERS]
    assert np.abs(drawn[0] - drawn[1]).max() == pytest.approx(0.27, abs=0.01)
    for place in 9 + rng.random((20, 2)) * 55:
        same = [quantised_gaussian(place, (64, 64), 3.0, kernel) for kernel in CORNERS]
        np.testing.assert_array_equal(*same)
