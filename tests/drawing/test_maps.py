import numpy as np
import pytest

from gensight.drawing import draw_depth, draw_heatmaps
from gensight.errors import DataError
from gensight.geometry import scaling
from gensight.samples import Depth, ScoreMap, View


def test_depth_gets_darker_with_distance_and_unknown_is_grey() -> None:
    values = np.tile(np.linspace(1, 5, 64, dtype=np.float32), (16, 1))
    values[:4] = np.nan
    picture = draw_depth(Depth(values))
    assert (picture[:4] == 128).all()
    lightness = picture[8] @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) <= 1).all()
    assert lightness[0] - lightness[-1] > 120


def test_depth_limits_make_pictures_comparable() -> None:
    near, far = (Depth(np.full((2, 2), value, dtype=np.float32)) for value in (1.0, 9.0))
    assert (draw_depth(near, (0.0, 10.0)) != draw_depth(far, (0.0, 10.0))).any()
    assert draw_depth(Depth(np.full((3, 4), np.nan, dtype=np.float32))).shape == (3, 4, 3)


def test_a_heatmap_lies_over_its_place_in_the_image() -> None:
    image = np.full((100, 200, 3), 90, dtype=np.uint8)
    view = View((100, 200), (64, 128), scaling(0.64, 0.64))
    values = np.zeros((2, 16, 32), dtype=np.float32)
    values[1, 4, 24] = 1.0  # grid centre (24.5, 4.5) of 32 x 16 -> image (153, 28)
    changed = (draw_heatmaps(image, ScoreMap(values, view)) != image).any(-1)
    assert changed[28, 153]
    assert not changed[:, :130].any()
    assert not changed[45:].any()
    assert not (draw_heatmaps(image, ScoreMap(np.zeros_like(values), view)) != image).any()


def test_a_map_of_another_image_is_refused() -> None:
    view = View((10, 10), (8, 8), scaling(0.8, 0.8))
    with pytest.raises(DataError, match=r"made for an image of size \(10, 10\) cannot be drawn on \(20, 20\)"):
        draw_heatmaps(np.zeros((20, 20, 3), dtype=np.uint8), ScoreMap(np.zeros((1, 2, 2), dtype=np.float32), view))
