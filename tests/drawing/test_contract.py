"""What every drawing function promises: the input stays as it is, a new uint8 RGB image of the same size comes back."""

from collections.abc import Callable

import numpy as np
import pytest

from gensight.drawing import draw_boxes, draw_gaze, draw_heatmaps, draw_keypoints, draw_masks, overlay
from gensight.errors import DataError
from gensight.geometry import scaling
from gensight.samples import Array, Depth, Gaze, Instance, Keypoints, Prediction, Sample, ScoreMap, View, Visibility
from gensight.skeletons import COCO_17

RNG = np.random.default_rng(0)


def keypoints(size: tuple[int, int], seed: int = 0) -> Keypoints:
    """Points inside, outside, far outside and NaN, of every visibility."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.5, 1.5, (17, 2)) * [size[1], size[0]]
    points[0], points[1], points[2] = np.nan, 1e12, [np.inf, 1]
    visibility = np.arange(17, dtype=np.int8) % 4
    visibility[:3] = Visibility.VISIBLE
    return Keypoints(COCO_17, points, visibility, rng.uniform(0, 1, 17).astype(np.float32))


def _masks(image: Array) -> Array:
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[: mask.shape[0] // 2 + 1] = True
    return draw_masks(image, [mask, ~mask], ["cat", "dog"])


def _heatmaps(image: Array) -> Array:
    size = image.shape[:2]
    view = View(size, (32, 32), scaling(32 / size[1], 32 / size[0]))
    return draw_heatmaps(image, ScoreMap(RNG.uniform(size=(3, 8, 8)).astype(np.float32), view))


def _overlay(image: Array) -> Array:
    height, width = image.shape[:2]
    subjects = (
        Instance("person", keypoints=keypoints((height, width))),
        Instance("person", box=np.array([0.0, 0.0, width, height]), confidence=0.4),
        Instance("person", mask=lambda: np.ones((height, width), dtype=bool)),
    )
    truth = Sample("a", (height, width), lambda: image, (Instance(keypoints=keypoints((height, width), 1)),))
    depth = Depth(RNG.uniform(size=(height, width)).astype(np.float32))
    prediction = Prediction("a", (height, width), subjects, depth=depth, label_scores={"cat": 0.7, "dog": 0.3})
    return overlay(image, prediction, truth)


DRAWINGS: dict[str, Callable[[Array], Array]] = {
    "keypoints": lambda image: draw_keypoints(image, keypoints(image.shape[:2]), 0.1, keypoints(image.shape[:2], 1)),
    "boxes": lambda image: draw_boxes(
        image, np.array([[1.0, 2, 30, 30], [-50, -50, 1e9, 5], [np.nan, 0, 1, 1]]), ["a", "b", "a"], [0.1, 0.9, 1.0]
    ),
    "masks": _masks,
    "gaze": lambda image: draw_gaze(
        image, Gaze(np.array([[5.0, 5.0], [np.nan, 1]]), True), np.array([0.0, 0.0, 9.0, 9.0])
    ),
    "gaze-out": lambda image: draw_gaze(image, Gaze(np.zeros((0, 2)), False, np.array([3.0, 3.0]))),
    "heatmaps": _heatmaps,
    "overlay": _overlay,
}


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("size", [(1, 1), (48, 64), (3, 200), (48, 64, 1), (48, 64, 3)])
def test_leaves_its_input_and_returns_rgb_of_the_same_size(name: str, size: tuple[int, ...]) -> None:
    size = size if len(size) == 3 else (*size, 3)
    image = RNG.integers(0, 255, size, dtype=np.uint8)
    before = image.copy()
    image.flags.writeable = False
    picture = DRAWINGS[name](image)
    np.testing.assert_array_equal(image, before)
    assert picture.dtype == np.uint8
    assert picture.shape == (*size[:2], 3)
    assert not np.shares_memory(picture, image)
    if size[0] == 48:
        assert (picture != np.broadcast_to(before, picture.shape)).any()


@pytest.mark.parametrize("name", DRAWINGS)
def test_accepts_a_plain_grey_image_and_a_strided_one(name: str) -> None:
    grey = RNG.integers(0, 255, (40, 30), dtype=np.uint8)
    assert DRAWINGS[name](grey).shape == (40, 30, 3)
    strided = RNG.integers(0, 255, (80, 60, 3), dtype=np.uint8)[::2, ::-2]
    assert DRAWINGS[name](strided).shape == (40, 30, 3)


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("image", [np.zeros((4, 4, 3), dtype=np.float32), np.zeros((4, 4, 4), dtype=np.uint8)])
def test_refuses_other_arrays(name: str, image: Array) -> None:
    with pytest.raises(DataError, match=r"cannot draw on an array of type \w+ and shape \(4, 4, \d\)"):
        DRAWINGS[name](image)


def test_draws_the_same_again() -> None:
    image = RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for name in ("keypoints", "boxes", "masks", "gaze"):
        np.testing.assert_array_equal(DRAWINGS[name](image), DRAWINGS[name](image))
