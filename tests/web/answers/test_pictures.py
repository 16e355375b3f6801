"""Answers as layers: transparent, enlarged without blur, each holding what its name says."""

import numpy as np
import pytest

from gensight.drawing import draw_keypoints
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.samples import Depth, Instance, Prediction, Sample, ScoreMap, View
from gensight.web.answers.pictures import draw_map, flattened, layers_of, shown_image, transparent, truth_of
from tests.web.answers.test_answer import IMAGE, SIZE, boxed, depth, edges, gaze, keypoints, labelled, masked

RNG = np.random.default_rng(0)


def test_small_images_are_enlarged_by_whole_pixels_and_large_ones_shrunk() -> None:
    image = RNG.integers(0, 255, (24, 32, 3), np.uint8)
    shown = shown_image(image)

    assert shown.shape == (720, 960, 3)
    np.testing.assert_array_equal(shown[15::30, 15::30], image)  # every pixel a square of its own colour
    np.testing.assert_array_equal(shown[::30, ::30], image)
    assert shown_image(np.zeros((1000, 3200, 3), np.uint8)).shape == (500, 1600, 3)
    assert shown_image(np.zeros((700, 900, 3), np.uint8)).shape == (700, 900, 3)


@pytest.mark.parametrize("prediction", [keypoints(), gaze(True), depth(), masked(), boxed(), edges(), labelled()])
def test_a_transparent_layer_over_an_image_is_the_drawing_on_it(prediction: Prediction) -> None:
    image = RNG.integers(0, 255, (*SIZE, 3), np.uint8)
    layer = transparent(lambda canvas: draw_prediction(canvas, prediction), SIZE)
    alpha = layer[..., 3:] / 255

    assert alpha.any()
    composed = image * (1 - alpha) + layer[..., :3] * alpha
    assert np.abs(composed - draw_prediction(image, prediction)).max() < 4  # of rounding


@pytest.mark.parametrize("prediction", [keypoints(), gaze(True), gaze(False), depth(), masked(), boxed(), edges()])
def test_every_kind_of_answer_shows(prediction: Prediction) -> None:
    layers = layers_of(IMAGE, prediction)

    assert [one.name for one in layers if one.shown][-1] == "Answer"
    assert {one.picture.shape for one in layers} == {(720, 960, 4)}
    drawn = flattened(shown_image(IMAGE), layers)
    assert (drawn != shown_image(IMAGE)).any()


def test_names_and_truth_have_layers_of_their_own() -> None:
    truth = truth_of(Sample("cat", SIZE, lambda: IMAGE, keypoints().instances), ("keypoints", "boxes"))
    layers = {one.name: one for one in layers_of(IMAGE, keypoints(), truth)}

    assert list(layers) == ["Names", "Answer", "Ground truth"]
    assert [one.shown for one in layers.values()] == [True, True, False]
    assert layers["Names"].narrow is not None
    assert layers["Names"].narrow[..., 3].astype(bool).sum() > layers["Names"].picture[..., 3].astype(bool).sum()
    centre = (157, 135)  # of the first keypoint: a ring is clear in its middle, a dot is not
    assert layers["Ground truth"].picture[centre][3] == 0 < layers["Answer"].picture[centre][3]


def test_only_truths_that_a_run_is_about_are_shown() -> None:
    sample = Sample("cat", SIZE, lambda: IMAGE, masked().instances, lambda: Depth(np.ones(SIZE, np.float32)), label="a")

    assert truth_of(sample, ("keypoints",)) is None
    found = truth_of(sample, ("depth",))
    assert found is not None
    assert found.depth is not None
    assert not found.instances
    assert truth_of(sample, ("masks",)).instances[0].mask is not None  # type: ignore[union-attr]
    assert truth_of(sample, ("label",)).label_scores == {"a": 1.0}  # type: ignore[union-attr]


def test_the_maps_of_all_subjects_show_in_the_map() -> None:
    values = [np.zeros((1, *SIZE), np.float32) for _ in range(2)]
    values[0][:, 4, 4] = values[1][:, 20, 28] = 1
    view = View(SIZE, SIZE, np.eye(3))
    maps = {name: ScoreMap(one, view) for name, one in zip(("heatmaps", "heatmaps-1"), values, strict=True)}
    shown = draw_map(np.zeros_like(IMAGE), Prediction("cat", SIZE, maps=maps))
    assert shown is not None
    assert shown[4, 4].sum() > shown[12, 16].sum() < shown[20, 28].sum()
    assert draw_map(IMAGE, keypoints()) is None


def test_guesses_are_faint() -> None:
    found = keypoints().instances[0].keypoints
    assert found is not None
    canvas = np.zeros((*SIZE, 3), np.uint8)
    guess = Instance(keypoints=found).keypoints
    assert guess is not None
    absent = type(found)(found.skeleton, found.points, np.ones(2, np.int8), found.confidence)
    assert not draw_keypoints(canvas, absent).any()
    assert 0 < draw_keypoints(canvas, absent, faint=True).max() < draw_keypoints(canvas, found).max()
