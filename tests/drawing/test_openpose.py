import numpy as np
import pytest

from gensight.drawing.openpose import LIMB_BRIGHTNESS, draw_skeletons, hues, num_hues
from gensight.skeletons import COCO_17, OPENPOSE_18, Skeleton

PAIR = Skeleton("pair", ("a", "b"), ((0, 1),))


def test_the_hues_of_openpose():
    assert num_hues(OPENPOSE_18) == 18
    table = np.rint(255 * hues(18)).astype(int).tolist()
    assert table[:7] == [
        [255, 0, 0], [255, 85, 0], [255, 170, 0], [255, 255, 0], [170, 255, 0], [85, 255, 0], [0, 255, 0]
    ]  # fmt: skip
    assert table[12:] == [[0, 0, 255], [85, 0, 255], [170, 0, 255], [255, 0, 255], [255, 0, 170], [255, 0, 85]]


def test_every_keypoint_and_limb_has_a_hue_where_limbs_are_more():
    assert num_hues(COCO_17) == 17
    assert num_hues(Skeleton("ring", ("a", "b", "c"), ((0, 1), (1, 2), (2, 0), (0, 1)))) == 4


def test_areas_are_those_of_the_shapes():
    """Light adds up to a disc's and an ellipse's area, wherever they lie among the cells."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        centre = rng.uniform(8, 12, (1, 1, 2))
        disc = draw_skeletons(centre, np.ones((1, 1), bool), Skeleton("dot", ("dot",)), (20, 20), 2.3, 1.0)
        assert disc[..., 0].sum() == pytest.approx(np.pi * 2.3**2, rel=0.01)
        assert disc[..., 1:].max() == 0
        turn = rng.uniform(0, np.pi)
        half = 7 * np.array([np.cos(turn), np.sin(turn)])
        ends = np.stack([centre[0, 0] - half, centre[0, 0] + half])[None] + 5
        limb = draw_skeletons(ends, np.ones((1, 2), bool), PAIR, (30, 30), 1e-3, 1.2)
        assert limb[..., 0].sum() == pytest.approx(LIMB_BRIGHTNESS * np.pi * 7 * 1.2, rel=0.05)


def test_a_limb_needs_both_ends_and_dots_lie_on_top():
    points = np.array([[[2.5, 5.5], [8.5, 5.5]]])
    both = draw_skeletons(points, np.array([[True, True]]), PAIR, (11, 11), 1.5, 1.0)
    one = draw_skeletons(points, np.array([[True, False]]), PAIR, (11, 11), 1.5, 1.0)
    np.testing.assert_allclose(both[5, 5], LIMB_BRIGHTNESS * hues(2)[0], atol=1e-5)
    np.testing.assert_allclose(both[5, 2], hues(2)[0], atol=1e-5)
    np.testing.assert_allclose(both[5, 8], hues(2)[1], atol=1e-5)
    assert one[:, 5:].max() == 0


def test_nobody_is_black_and_people_outside_leave_nothing():
    black = draw_skeletons(np.zeros((0, 18, 2)), np.zeros((0, 18), bool), OPENPOSE_18, (4, 6), 1, 1)
    assert black.shape == (4, 6, 3)
    assert black.dtype == np.float32
    assert black.max() == 0
    outside = np.full((1, 18, 2), -50.0)
    assert draw_skeletons(outside, np.ones((1, 18), bool), OPENPOSE_18, (4, 6), 1, 1).max() == 0
