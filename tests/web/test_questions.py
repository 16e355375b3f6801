"""Boxes and instructions as visitors give them."""

import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.web.questions import MAX_MARKS, read_boxes, read_points


def test_boxes_are_read_from_any_two_opposite_corners_and_clipped() -> None:
    boxes = read_boxes("10 20 30 40\n\n 90, 50, 70, 10 \n-5 -5 1000 1000", (60, 100))

    np.testing.assert_array_equal(boxes, [[10, 20, 30, 40], [70, 10, 90, 50], [0, 0, 100, 60]])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 2 3", "line 1 of the boxes is not four numbers: `1 2 3`"),
        ("1 2 3 4\na b c d", "line 2 of the boxes is not four numbers: `a b c d`"),
        ("1 2 nan 4", "line 1 of the boxes is not four numbers"),
        ("5 5 5 9", r"box 1 has no area within the image \(100 x 60 pixels\)"),
        ("200 200 300 300", "box 1 has no area"),
        ("0 0 9 9\n" * (MAX_MARKS + 1), "21 boxes are marked, and at most 20"),
    ],
)
def test_what_is_no_box_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_boxes(text, (60, 100))


def test_points_are_read_and_clipped() -> None:
    np.testing.assert_array_equal(read_points("10 20\n-5, 70", (60, 100)), [[10, 20], [0, 60]])
    assert read_points(" \n", (60, 100)) is None
    with pytest.raises(ConfigError, match="line 2 of the points is not two numbers: `1 2 3`"):
        read_points("1 2\n1 2 3", (60, 100))
