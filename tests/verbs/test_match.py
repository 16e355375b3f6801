"""Runs that compare images, applied; what they refuse."""

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.samples import Sample
from gensight.verbs.match import parse_points, points_to_match


def test_points_are_read_and_a_wrong_one_is_named() -> None:
    assert parse_points("1,2:3.5,4").tolist() == [[1.0, 2.0], [3.5, 4.0]]
    with pytest.raises(ConfigError, match="`3` is not a point"):
        parse_points("1,2:3")


def test_points_outside_the_image_are_named() -> None:
    sample = Sample("a", (10, 20), lambda: np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(DataError, match="the point 25,4 lies outside the image of 20 x 10"):
        points_to_match(sample, np.array([[1.0, 1.0], [25.0, 4.0]]))
    grid = points_to_match(sample, None)
    assert len(grid) == 8 * 4
    assert (grid >= 0).all()
    assert (grid <= [20, 10]).all()
