"""Names of keypoints: at their dots, apart from each other."""

import numpy as np

from gensight.drawing import draw_names
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import Skeleton

TRIPLE = Skeleton("triple", ("nose", "left_ear", "tail"))


def named(points: list[list[float]], visibility: int = Visibility.VISIBLE) -> Keypoints:
    return Keypoints(TRIPLE, np.array(points), np.full(3, visibility, np.int8), np.ones(3, np.float32))


def covered(points: list[list[float]]) -> int:
    canvas = np.full((400, 400, 3), 128, np.uint8)
    return int((draw_names(canvas, [named(points)]) != canvas).any(-1).sum())


def test_names_of_near_points_take_places_of_their_own() -> None:
    apart, together = covered([[60, 60], [200, 200], [60, 340]]), covered([[200, 200], [202, 201], [201, 203]])

    assert 0.9 * apart < together < 1.5 * apart  # none covers another; lines lead to those farther off


def test_a_name_stays_at_its_dot_and_in_the_picture() -> None:
    canvas = np.full((400, 400, 3), 128, np.uint8)
    changed = np.argwhere((draw_names(canvas, [named([[395, 5], [np.nan, 0], [1e6, 1e6]])]) != canvas).any(-1))

    assert len(changed)
    assert changed[:, 0].max() < 40
    assert changed[:, 1].min() > 330
    absent = named([[395, 5], [9, 9], [50, 50]], Visibility.ABSENT)
    np.testing.assert_array_equal(draw_names(canvas, [absent]), canvas)
