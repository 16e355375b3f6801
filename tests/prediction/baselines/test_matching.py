"""Baselines that find points without learning, on pictures moved by known maps."""

import time
from functools import partial

import cv2
import numpy as np
import pytest

from gensight.loading.views import ViewPolicy
from gensight.prediction.baselines.matching import NoMotion, OpticalFlow, RawPixelMatching, SiftMatching
from gensight.samples import Array, Item, Relation, Sample
from tests.tolerances import MATCHED_PX

SIZE = (96, 128)
POLICY = ViewPolicy(SIZE)


def texture(seed: int = 0) -> Array:
    """Smooth noise: structure at a few pixels and at tens of them."""
    noise = np.random.default_rng(seed).normal(0, 1, (*SIZE, 3)).astype(np.float32)
    layers = [cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1.5, 6)]
    picture = sum(layer / layer.std() for layer in layers)
    return np.clip(128 + 45 * picture, 0, 255).astype(np.uint8)


def held(picture: Array) -> Array:
    return picture


def pair(shift=(7.0, -4.0), scale: float = 1.0) -> Item:
    """The second image shows the first one moved (and enlarged)."""
    first = texture()
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    second = cv2.warpAffine(first, centred, size[::-1], borderMode=cv2.BORDER_REFLECT)
    rng = np.random.default_rng(1)
    points = rng.uniform([20, 20], [108, 76], (40, 2))
    tracks = np.stack([points, points @ matrix[:, :2].T + matrix[:, 2]])
    samples = (Sample("a", SIZE, partial(held, first)), Sample("b", size, partial(held, second)))
    return Item(samples, relation=Relation("tracks", tracks))


BASELINES = {
    "raw": (RawPixelMatching(POLICY), 1.0),
    "sift": (SiftMatching(POLICY), 1.5),
    "flow": (OpticalFlow(POLICY), 0.5),
}


@pytest.mark.parametrize("name", BASELINES)
def test_moved_pictures_are_followed(name) -> None:
    baseline, bound = BASELINES[name]
    item = pair()
    found = baseline(item)
    error = found.matches.points - item.relation.tracks[1]
    assert np.median(np.linalg.norm(error, axis=1)) < bound
    assert np.abs(np.median(error, axis=0)).max() < bound / 2
    assert found.matches.confidence.dtype == np.float32
    assert 0.3 < found.matches.confidence.mean() <= 1
    assert (found.sample_key, found.item_key, found.size) == ("a", "a+b", SIZE)


@pytest.mark.parametrize("name", ["raw", "sift", "flow", "still"])
def test_images_of_another_size_are_brought_to_the_same_frame(name) -> None:
    item = pair((0.0, 0.0), scale=2.0)
    baseline = NoMotion() if name == "still" else BASELINES[name][0]
    error = np.linalg.norm(baseline(item).matches.points - item.relation.tracks[1], axis=1)
    assert np.median(error) < (1e-9 if name == "still" else 2.0)


@pytest.mark.parametrize("name", ["raw", "sift", "flow", "still"])
def test_hidden_points_stay_unknown_and_the_truth_is_not_read(name) -> None:
    item = pair()
    baseline = NoMotion() if name == "still" else BASELINES[name][0]
    tracks = item.relation.tracks.copy()
    tracks[0, :3] = np.nan
    tracks[1] = np.nan
    unseen = baseline(Item(item.samples, relation=Relation("tracks", tracks))).matches
    assert np.isnan(unseen.points[:3]).all()
    np.testing.assert_allclose(unseen.points[3:], baseline(item).matches.points[3:], atol=MATCHED_PX, rtol=0)
    nothing = Item(item.samples, relation=Relation("tracks", np.full((2, 2, 2), np.nan)))
    assert np.isnan(baseline(nothing).matches.points).all()
    without = Item(item.samples, relation=Relation("tracks", np.zeros((2, 0, 2))))
    assert baseline(without).matches.points.shape == (0, 2)


def test_baselines_are_quick() -> None:
    item = pair()
    for baseline, _ in BASELINES.values():
        begun = time.perf_counter()
        baseline(item)
        assert time.perf_counter() - begun < 5
