"""The legend of keypoints that dots alone don't explain."""

import numpy as np

from gensight.prediction.outputs.overlay import draw_prediction, legend_of
from gensight.samples import Instance, Keypoints, Prediction, Visibility
from gensight.skeletons import Skeleton

SKELETON = Skeleton("mouse", ("nose", "ear", "tail"))


def prediction(*visibility: Visibility, side: int = 240) -> Prediction:
    points = np.array([[50.0, 50], [80, 60], [90, 90]])
    keypoints = Keypoints(SKELETON, points, np.array(visibility, np.int8), np.ones(3, np.float32))
    return Prediction("a.png", (side, side), (Instance("mouse", keypoints=keypoints),))


def test_a_legend_says_what_is_hidden_and_what_is_missing() -> None:
    visible, hidden, absent = Visibility.VISIBLE, Visibility.OCCLUDED, Visibility.ABSENT
    assert legend_of(prediction(visible, visible, visible)) == ""
    assert legend_of(prediction(visible, hidden, absent)) == "dark centre: hidden; 1 of 3 keypoints not found"
    grey = np.full((240, 240, 3), 128, np.uint8)
    plain, explained = (draw_prediction(grey, prediction(visible, one, visible)) for one in (visible, hidden))
    assert (plain[-20:, :60] == 128).all()
    assert explained[-20:, :60].min() < 60
    small = np.full((64, 64, 3), 128, np.uint8)
    assert (draw_prediction(small, prediction(visible, hidden, visible, side=64))[-5:, :10] == 128).all()
