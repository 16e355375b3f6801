"""Edges lie where the picture changes, whatever its size, and nowhere else."""

import numpy as np
import pytest

from gensight.samples import Sample
from gensight.teachers.models.edges import EdgeTeacher
from tests.contracts.teacher import TeacherContract
from tests.teachers.samples import SIZE, Pixels, picture


class TestEdgeTeacher(TeacherContract):
    @pytest.fixture
    def teacher(self):
        return EdgeTeacher()

    @pytest.fixture
    def samples(self):
        return [Sample(f"{number}.png", SIZE, Pixels(picture(number))) for number in range(3)]


def halves(height, width, at):
    image = np.full((height, width, 3), 60, dtype=np.uint8)
    image[:, at:] = 190
    return image


@pytest.mark.parametrize(("height", "width"), [(50, 70), (600, 1100)])
def test_a_border_is_found_where_it_is(height, width):
    edges = EdgeTeacher().find(halves(height, width, width // 3))
    assert edges.shape == (height, width)
    strongest = edges[height // 2].argmax()
    assert abs(strongest + 0.5 - width // 3) <= 1 + width / 512
    assert edges[:, width // 2 :].max() == 0


def test_a_soft_map_separates_strong_and_weak_edges():
    image = halves(80, 120, 40)
    image[:, 90:] = 225
    edges = EdgeTeacher().find(image)
    assert edges[40, 38:42].max() == 1
    assert 0 <= edges[40, 88:92].max() < 1


def test_one_colour_has_no_edges():
    assert EdgeTeacher().find(np.full((30, 40, 3), 7, dtype=np.uint8)).max() == 0


def test_a_fine_texture_vanishes_at_a_coarse_resolution():
    image = np.tile(np.array([[90, 110], [110, 90]], dtype=np.uint8)[..., None], (64, 64, 3))
    assert EdgeTeacher(resolution=32).find(image).max() == 0


def test_settings_make_the_fingerprint():
    assert EdgeTeacher().fingerprint() == EdgeTeacher().fingerprint()
    assert EdgeTeacher(blur=2.0).fingerprint() != EdgeTeacher().fingerprint()
