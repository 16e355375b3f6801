from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gensight.geometry import grid_to_image, pixel_centres
from gensight.teachers.models.depth import DepthTeacher
from tests.teachers.images import sample

KINDS = {"dpt": "affine", "depth-anything": "affine", "depth-anything-metric": "metric", "zoedepth": "metric"}


@pytest.mark.parametrize("family", ["dpt", "depth-anything", "zoedepth"])
def test_it_labels_two_images(tiny_model, family):
    teacher = DepthTeacher(str(tiny_model(family)), device="cpu")
    samples = [sample(), sample((33, 21), seed=1)]
    labels = teacher.label(samples)
    for one, label in zip(samples, labels, strict=True):
        assert label.depth.kind == KINDS[family]
        assert label.depth.values.dtype == np.float32
        assert label.depth.values.shape == one.size
        assert np.isfinite(label.depth.values).all()
        assert label.depth.values.min() >= 0
        assert label.instances is None
    np.testing.assert_array_equal(teacher.label(samples[1:])[0].depth.values, labels[1].depth.values)


@pytest.mark.parametrize("family", ["dpt", "depth-anything", "zoedepth"])
def test_the_map_comes_back_to_the_image_frame(tiny_model, family):
    """The model is made to answer with a plane over the image frame, through its own input's geometry."""
    teacher = DepthTeacher(str(tiny_model(family)), device="cpu")
    one = sample((40, 60))
    values, view = teacher.preprocessing(one.image())
    height, width = values.shape[-2:]
    grid = (height // 2, width // 2)
    places = grid_to_image(pixel_centres(grid), view, grid)
    plane = torch.from_numpy((100 + 3 * places[..., 0] + 2 * places[..., 1]).astype(np.float32))
    teacher._model = lambda pixel_values: SimpleNamespace(predicted_depth=plane[None])
    centres = pixel_centres((40, 60))
    expected = 100 + 3 * centres[..., 0] + 2 * centres[..., 1]
    found = teacher.label([one])[0].depth.values
    np.testing.assert_allclose(found[4:-4, 4:-4], expected[4:-4, 4:-4], atol=0.15)  # OpenCV samples to 1/32 px


def test_no_depth_is_unknown_where_it_is_metric(tiny_model):
    for family, expected in (("depth-anything", 0.0), ("depth-anything-metric", np.nan)):
        teacher = DepthTeacher(str(tiny_model(family)), device="cpu")
        teacher._model = lambda pixel_values: SimpleNamespace(predicted_depth=torch.zeros(1, 4, 4))
        np.testing.assert_array_equal(teacher.label([sample()])[0].depth.values, np.full((40, 60), expected))
