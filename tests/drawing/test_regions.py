import numpy as np
import pytest

from gensight.drawing import draw_boxes, draw_gaze, draw_masks
from gensight.errors import DataError
from gensight.samples import Gaze

GROUND = np.full((100, 120, 3), 90, dtype=np.uint8)


def test_a_box_is_drawn_on_its_edges_and_leaves_its_inside() -> None:
    picture = draw_boxes(GROUND, np.array([20.0, 30.0, 80.0, 70.0]))
    changed = (picture != GROUND).any(-1)
    for y, x in [(30, 50), (69, 50), (50, 20), (50, 79), (30, 20), (69, 79)]:
        assert changed[y, x]
    assert not changed[34:66, 24:76].any()
    assert not changed[:26].any()


def test_a_label_stands_above_its_box_and_inside_the_image() -> None:
    picture = draw_boxes(GROUND, np.array([[20.0, 30.0, 80.0, 70.0]]), ["mouse"], [0.5])
    assert (picture != GROUND).any(-1)[16:28, 20:50].mean() > 0.8
    topmost = draw_boxes(GROUND, np.array([[100.0, 0.0, 119.0, 50.0]]), ["a long name"])
    assert (topmost != GROUND).any(-1)[0:12, 70:].mean() > 0.5


def test_the_same_category_has_the_same_colour() -> None:
    boxes = np.array([[10.0, 50, 30, 90], [40, 50, 60, 90], [80, 50, 110, 90]])
    picture = draw_boxes(GROUND, boxes, ["cat", "dog", "cat"])
    first, second, third = (picture[70, x] for x in (10, 40, 80))
    np.testing.assert_array_equal(first, third)
    assert (first != second).any()


def test_wrong_counts_and_sizes_are_refused() -> None:
    with pytest.raises(DataError, match="1 labels for 2 subjects"):
        draw_boxes(GROUND, np.zeros((2, 4)), ["one"])
    with pytest.raises(DataError, match=r"a mask of size \(5, 5\) cannot be drawn on an image of size \(100, 120\)"):
        draw_masks(GROUND, [np.ones((5, 5), dtype=bool)])


def test_a_mask_tints_itself_only() -> None:
    mask = np.zeros((100, 120), dtype=bool)
    mask[20:60, 30:90] = True
    changed = (draw_masks(GROUND, [mask]) != GROUND).any(-1)
    assert changed[mask].all()
    grown = np.zeros_like(mask)
    grown[17:63, 27:93] = True
    assert not changed[~grown].any()


def test_a_gaze_leads_from_the_eye_to_the_mean_target() -> None:
    gaze = Gaze(np.array([[100.0, 40.0], [100.0, 60.0]]), True, np.array([10.0, 50.0]))
    changed = (draw_gaze(GROUND, gaze) != GROUND).any(-1)
    assert changed[49:51, 10:95].any(0).all()
    assert changed[34:46, 94:106].any()
    assert changed[54:66, 94:106].any()
    nowhere = draw_gaze(GROUND, Gaze(np.zeros((0, 2)), None))
    np.testing.assert_array_equal(nowhere, GROUND)
