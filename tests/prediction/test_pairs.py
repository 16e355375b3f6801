"""Points of one image that are looked for in another."""

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.prediction.pairs import even_grid, pair_item, points_inside
from gensight.samples import Sample
from gensight.verbs.match import parse_points

SAMPLE = Sample("a", (10, 20), lambda: np.zeros((10, 20, 3), np.uint8))


def test_points_are_read_and_a_wrong_one_is_named() -> None:
    assert parse_points("1,2:3.5,4").tolist() == [[1.0, 2.0], [3.5, 4.0]]
    with pytest.raises(ConfigError, match="`3` is not a point"):
        parse_points("1,2:3")


def test_points_outside_the_image_are_named() -> None:
    with pytest.raises(DataError, match="the point 25,4 lies outside the image of 20 x 10"):
        points_inside(SAMPLE, np.array([[1.0, 1.0], [25.0, 4.0]]))
    grid = even_grid(SAMPLE)
    assert len(grid) == 8 * 4
    assert (grid >= 0).all()
    assert (grid <= [20, 10]).all()


def test_without_points_images_are_compared_as_wholes() -> None:
    other = Sample("b", (10, 20), SAMPLE.image)
    assert [one.key for one in pair_item(SAMPLE, other, None).samples] == ["a", "b", "b"]
    relation = pair_item(SAMPLE, other, np.array([[1.0, 2.0]])).relation
    assert relation is not None
    assert relation.tracks is not None
    np.testing.assert_array_equal(relation.tracks, [[[1, 2]], [[np.nan, np.nan]]])
