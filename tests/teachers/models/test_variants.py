"""Variants keep the layout in proportion to the strength, follow the caption, and repeat."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gensight.backbones.diffusion import load_tiny
from gensight.errors import RunError
from gensight.samples import Sample
from gensight.teachers.models.variants import VariantTeacher
from tests.contracts.teacher import TeacherContract
from tests.teachers.samples import SIZE, Pixels, picture

FAST = {"num_steps": 2, "resolution": 32}


def sample(number=0, caption="a red house"):
    return Sample(f"{number}.png", SIZE, Pixels(picture(number)), caption=caption)


class TestVariantTeacher(TeacherContract):
    @pytest.fixture
    def teacher(self):
        return VariantTeacher(num_variants=2, **FAST)

    @pytest.fixture
    def samples(self):
        return [sample(0), sample(1, None)]


@cache
def backbone():
    return load_tiny()


def variant(one, **settings):
    teacher = VariantTeacher(**FAST | settings)
    teacher._model = backbone()  # loaded once for all tests
    [labels] = teacher.label([one])
    return labels.variants[0].astype(float)


def test_more_strength_leads_further_away():
    distances = [np.abs(variant(sample(), strength=s) - picture(0)).mean() for s in (0.5, 1.0)]
    assert distances[1] > 1.2 * distances[0]


def test_the_caption_and_its_weight_count():
    other = variant(sample(caption="a dog on snow"), strength=1.0, guidance=10.0)
    assert np.abs(other - variant(sample(), strength=1.0, guidance=10.0)).mean() > 1
    without = [variant(sample(caption=text), strength=1.0, guidance=0.0) for text in ("a red house", "a dog")]
    np.testing.assert_array_equal(*without)


def test_the_noise_belongs_to_the_key():
    assert np.abs(variant(replace(sample(), key="other")) - variant(sample())).mean() > 1
    assert np.abs(variant(sample(), seed=1) - variant(sample())).mean() > 1


def test_sides_fit_the_backbone():
    teacher = VariantTeacher(resolution=100)
    step = teacher.model.stride * 4
    for size in ((480, 854), (31, 700), (64, 64)):
        assert all(side % step == 0 and side > 0 for side in teacher._working_size(size))


def test_absent_weights_are_named(tmp_path):
    teacher = VariantTeacher(str(tmp_path / "nowhere"))
    with pytest.raises(RunError, match="there is no such backbone folder"):
        teacher.fingerprint()
