from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gensight.geometry import grid_to_image, pixel_centres
from gensight.teachers.models.depth import DepthTeacher
from tests.contracts.teacher import PretrainedContract
from tests.teachers.samples import sample

KINDS = {"dpt": "affine", "depth_anything": "affine", "zoedepth": "metric"}


class TestDepthTeacher(PretrainedContract):
    kind = DepthTeacher
    families = ("dpt", "depth-anything", "zoedepth")

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        assert labelled.depth.kind == KINDS[teacher.model_type]
        assert np.isfinite(labelled.depth.values).all()
        assert labelled.depth.values.min() >= 0


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
