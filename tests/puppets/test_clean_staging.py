"""The clean style: subjects are whole, large and seen, the light is even, and all else agrees with the full style."""

import numpy as np
import pytest

from gensight.puppets.captions import CAPTION_WORDS
from gensight.puppets.clean_staging import draw_clean_scene
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Visibility


def clean(num_samples, subjects, **options):
    return PuppetsReader(num_samples, seed=21, size=(96, 96), subjects=subjects, style="clean", **options)


@pytest.fixture(scope="module", params=["people", "animals"])
def samples(request):
    return list(clean(40, request.param, truths=("keypoints", "boxes", "caption")))


def test_every_scene_shows_a_large_subject(samples):
    for sample in samples:
        boxes = np.array([instance.box for instance in sample.instances])
        high, wide = (boxes[:, 3] - boxes[:, 1]).max(), (boxes[:, 2] - boxes[:, 0]).max()
        assert high > 0.45 * 96 or wide > 0.75 * 96
        assert high < 96


def test_subjects_are_whole(samples):
    for sample in samples:
        for instance in sample.instances:
            assert (instance.keypoints.visibility >= Visibility.OCCLUDED).all()  # none lies outside
            assert min(instance.box) > -1
            assert instance.box[2:].max() < 97
    touching = [
        instance.box[:2].min() <= 0 or instance.box[2:].max() >= 96
        for sample in samples for instance in sample.instances
    ]  # fmt: skip
    assert np.mean(touching) < 0.1


def test_most_scenes_hold_one_subject(samples):
    counts = [len(sample.instances) for sample in samples]
    assert set(counts) <= {1, 2, 3}
    assert counts.count(1) > 0.6 * len(counts)


def test_captions_stay_in_the_vocabulary(samples):
    assert all(set(sample.caption.replace(",", "").split()) <= set(CAPTION_WORDS) for sample in samples)


def test_the_number_of_subjects_is_kept_where_it_is_fixed():
    for index in range(6):
        assert len(draw_clean_scene(3, index, "people", (0, 0)).subjects) == 0
        assert len(draw_clean_scene(3, index, "people", (1, 1)).subjects) == 1


def test_light_is_even_and_sharp():
    for index in range(10):
        light = draw_clean_scene(3, index).light
        assert light.even
        assert light.noise == light.blur == 0


def test_people_and_animals_come_in_about_equal_parts():
    people = [draw_clean_scene(5, index, "all", (1, 1)).subjects[0].person is not None for index in range(200)]
    assert 0.4 < np.mean(people) < 0.6


def test_styles_are_other_scenes_and_full_is_the_default():
    full = PuppetsReader(2, seed=21, size=(96, 96), subjects="people", style="full")
    np.testing.assert_array_equal(
        PuppetsReader(2, seed=21, size=(96, 96), subjects="people")[1].image(), full[1].image()
    )
    assert not np.array_equal(clean(2, "people")[1].image(), full[1].image())
