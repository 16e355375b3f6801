import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gensight.errors import ConfigError, DataError
from gensight.geometry import box_image_to_model, image_to_model, model_to_image
from gensight.transforms import around_box, mirror_view, stretched_box, whole_frame

sides = st.integers(1, 3000)
sizes = st.tuples(sides, sides)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes)
def test_whole_frame_shows_all_centred_and_as_large_as_fits(image_size, model_size):
    view = whole_frame(image_size, model_size)
    box = box_image_to_model(np.array([0.0, 0.0, image_size[1], image_size[0]]), view)
    left, top, right, bottom = box[0], box[1], model_size[1] - box[2], model_size[0] - box[3]
    assert min(left, top, right, bottom) >= -1e-6
    assert left == pytest.approx(right, abs=1e-6)
    assert top == pytest.approx(bottom, abs=1e-6)
    assert min(left, top) == pytest.approx(0, abs=1e-6)
    assert view.matrix[0, 0] == view.matrix[1, 1]


def test_whole_frame_of_the_same_size_is_the_identity():
    assert np.array_equal(whole_frame((48, 64), (48, 64)).matrix, np.eye(3))


@settings(max_examples=60, deadline=None)
@given(sizes, st.lists(st.floats(-100, 3000), min_size=4, max_size=4), st.floats(1, 3))
def test_around_box_pads_the_tighter_side_and_keeps_aspect_and_centre(model_size, edges, padding):
    x, y = sorted(edges[:2]), sorted(edges[2:])
    box = np.array([x[0], y[0], x[1] + 2, y[1] + 2])
    view = around_box((500, 400), box, model_size, padding)
    inner = box_image_to_model(box, view)
    np.testing.assert_allclose((inner[:2] + inner[2:]) / 2, [model_size[1] / 2, model_size[0] / 2], atol=1e-6)
    shares = (inner[2] - inner[0]) / model_size[1], (inner[3] - inner[1]) / model_size[0]
    assert max(shares) == pytest.approx(1 / padding, rel=1e-9)
    assert view.matrix[0, 0] == view.matrix[1, 1]


def test_stretched_box_fills_the_frame():
    box = np.array([10.5, 20.0, 60.5, 220.0])
    view = stretched_box((300, 300), box, (64, 32))
    np.testing.assert_allclose(box_image_to_model(box, view), [0, 0, 32, 64], atol=1e-9)


@pytest.mark.parametrize("make", [around_box, stretched_box])
def test_a_box_without_area_gives_a_finite_view(make):
    view = make((100, 100), np.array([50.0, 50.0, 50.0, 50.0]), (64, 64))
    np.testing.assert_allclose(image_to_model(np.array([50.0, 50.0]), view), [32, 32])
    assert np.isfinite(view.inverse).all()


def test_mirror_view_twice_is_the_same_view():
    view = around_box((100, 100), np.array([10.0, 20.0, 70.0, 50.0]), (64, 48))
    mirrored = mirror_view(view)
    point = np.array([33.0, 44.0])
    x, y = image_to_model(point, view)
    np.testing.assert_allclose(image_to_model(point, mirrored), [48 - x, y])
    assert mirrored.mirrored
    assert not mirror_view(mirrored).mirrored
    np.testing.assert_allclose(mirror_view(mirrored).matrix, view.matrix, atol=1e-12)
    np.testing.assert_allclose(model_to_image(image_to_model(point, mirrored), mirrored), point, atol=1e-9)


def test_bad_input_is_named():
    with pytest.raises(
        DataError, match=r"four finite numbers \(x_min, y_min, x_max, y_max\), got \[5.0, 0.0, 1.0, 9.0"
    ):
        around_box((10, 10), np.array([5.0, 0.0, 1.0, 9.0]), (8, 8))
    with pytest.raises(DataError, match="nan"):
        stretched_box((10, 10), np.array([np.nan, 0.0, 1.0, 9.0]), (8, 8))
    with pytest.raises(ConfigError, match="padding must be above 0, got 0"):
        around_box((10, 10), np.array([0.0, 0.0, 1.0, 9.0]), (8, 8), padding=0.0)
    with pytest.raises(ConfigError, match="the model size must be at least 1 x 1, got 0 x 8"):
        whole_frame((10, 10), (0, 8))
