"""Heads from keypoints: a square around what is sure, nothing where too little is."""

import numpy as np
import pytest

from gensight.prediction.detection.heads import head_of_keypoints
from gensight.samples import Keypoints
from gensight.skeletons import Skeleton

SKELETON = Skeleton("few", ("nose", "left_eye", "right_eye", "left_wrist"))
SIZE = (60, 80)


def head(points: list[tuple[float, float]], confidence: list[float]) -> tuple[np.ndarray, float] | None:
    visible = np.full(4, 2, np.int8)
    keypoints = Keypoints(SKELETON, np.array(points, float), visible, np.array(confidence, np.float32))
    return head_of_keypoints(keypoints, SIZE)


def test_a_head_is_a_square_around_what_is_sure_of_it() -> None:
    box, score = head([(40, 33), (36, 30), (44, 30), (5, 5)], [0.5, 0.9, 0.7, 1.0]) or (None, None)
    assert score == pytest.approx(0.7)
    assert box.tolist() == [32, 23, 48, 39]  # 2 x 8 px around (40, 31); the wrist does not count
    box, _ = head([(40, 33), (36, 30), (44, 30), (5, 5)], [0.1, 0.9, 0.7, 1.0]) or (None, None)
    assert box.tolist() == [32, 22, 48, 38]


def test_a_head_stays_in_the_image_and_one_keypoint_is_none() -> None:
    box, _ = head([(2, 2), (0, 0), (10, 0), (5, 5)], [0.9, 0.9, 0.9, 0.9]) or (None, None)
    assert box.min() == 0
    assert head([(40, 33), (36, 30), (44, 30), (5, 5)], [0.9, 0.1, 0.1, 0.9]) is None
