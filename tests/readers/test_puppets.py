"""The reader: samples are reproducible, sizes show the same scene, and all truths agree with the rendered image."""

import pickle

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.geometry import inside
from gensight.puppets.captions import CAPTION_WORDS
from gensight.readers.puppets import TRUTHS, PuppetsReader
from gensight.samples import Visibility
from gensight.skeletons import ANIMAL_17, OPENPOSE_18


@pytest.fixture(scope="module")
def reader():
    return PuppetsReader(16, seed=11, size=(96, 96), truths=TRUTHS, subjects="all")


@pytest.fixture(scope="module")
def samples(reader):
    return list(reader)


def test_samples_depend_on_seed_and_index_alone(reader):
    again = pickle.loads(pickle.dumps(reader))
    for index in (7, 2):  # in another order
        first, second = reader[index], again[index]
        np.testing.assert_array_equal(first.image(), second.image())
        assert first.caption == second.caption
        for a, b in zip(first.instances, second.instances, strict=True):
            np.testing.assert_array_equal(a.box, b.box)
            np.testing.assert_array_equal(a.keypoints.points, b.keypoints.points)
    other = PuppetsReader(3, seed=12, size=(96, 96))
    assert not np.array_equal(other[2].image(), reader[2].image())


def test_truths_do_not_change_the_picture(reader):
    few = PuppetsReader(16, seed=11, size=(96, 96), truths=("caption",), subjects="all")
    sample = few[3]
    np.testing.assert_array_equal(sample.image(), reader[3].image())
    assert sample.depth is None
    assert all(i.keypoints is None and i.box is None and i.mask is None and i.gaze is None for i in sample.instances)


def test_images_are_as_declared(samples):
    for sample in samples[:6]:
        image = sample.image()
        assert image.shape == (96, 96, 3)
        assert image.dtype == np.uint8
        assert image.std() > 5
    assert len({sample.key for sample in samples}) == len(samples)


def test_another_size_shows_the_same_scene_larger(reader):
    double = PuppetsReader(16, seed=11, size=(192, 192), truths=TRUTHS, subjects="all")
    for index in range(5):
        small, large = reader[index], double[index]
        both = {i.identity: i for i in large.instances}
        for instance in small.instances:
            other = both[instance.identity]
            np.testing.assert_allclose(other.keypoints.points, 2 * instance.keypoints.points, atol=1e-6)
            np.testing.assert_allclose(other.box, 2 * instance.box, atol=3)
        difference = small.image().astype(float) - large.image().reshape(96, 2, 96, 2, 3).mean((1, 3))
        assert np.abs(difference).mean() < 16


def test_a_wider_image_shows_more_on_both_sides(reader):
    wide = PuppetsReader(16, seed=11, size=(96, 160), truths=("keypoints",), subjects="all")
    for index in range(6):
        square = {i.id: i for i in reader[index].instances}
        for instance in wide[index].instances:
            if instance.id in square:
                points = square[instance.id].keypoints.points + np.array([32, 0])
                known = np.isfinite(points)
                np.testing.assert_allclose(instance.keypoints.points[known], points[known], atol=1e-6)


def test_boxes_enclose_exactly_what_is_seen(samples):
    for sample in samples:
        masks = [instance.mask() for instance in sample.instances]
        for instance, mask in zip(sample.instances, masks, strict=True):
            rows, columns = np.nonzero(mask)
            assert instance.box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert instance.area == mask.sum()
        if len(masks) > 1:
            assert np.sum(masks, axis=0).max() <= 1


def test_visible_keypoints_lie_on_their_subject(samples):
    on = total = 0
    for sample in samples:
        for instance in sample.instances:
            keypoints, mask = instance.keypoints, instance.mask()
            near = np.pad(mask, 2)
            near = np.any(
                [np.roll(near, shift, (0, 1)) for shift in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))], axis=0
            )
            for x, y in keypoints.points[keypoints.visibility == Visibility.VISIBLE]:
                total += 1
                on += near[int(y) + 2, int(x) + 2]
    assert total > 150
    assert on / total > 0.98


def test_keypoints_are_labelled_by_their_place(samples):
    kinds = set()
    for sample in samples:
        for instance in sample.instances:
            keypoints = instance.keypoints
            kinds |= set(keypoints.visibility.tolist())
            assert keypoints.skeleton is (OPENPOSE_18 if instance.category == "person" else ANIMAL_17)
            assert (np.isfinite(keypoints.points).all(1) == keypoints.located).all()
            assert inside(keypoints.points[keypoints.located], sample.size).all()
    assert kinds == {Visibility.ABSENT, Visibility.OCCLUDED, Visibility.VISIBLE}


def test_gaze_states_whether_its_target_is_in_the_frame(samples):
    seen = set()
    for sample in samples:
        for instance in sample.instances:
            if instance.gaze is None:
                assert instance.category != "person"
                continue
            seen.add(instance.gaze.in_frame)
            assert len(instance.gaze.points) == (1 if instance.gaze.in_frame else 0)
            if instance.gaze.in_frame:
                assert inside(instance.gaze.points, sample.size).all()
            if instance.head_box is not None and instance.keypoints.visibility[0] == Visibility.VISIBLE:
                x, y = instance.keypoints.points[0]
                assert instance.head_box[0] - 2 <= x <= instance.head_box[2] + 2
                assert instance.head_box[1] - 2 <= y <= instance.head_box[3] + 2
    assert {True, False} <= seen


def test_depth_is_known_wherever_there_is_a_surface(samples):
    for sample in samples:
        depth = sample.depth()
        assert depth.kind == "metric"
        assert depth.values.dtype == np.float32
        known = np.isfinite(depth.values)
        assert depth.values[known].min() > 0.05
        for instance in sample.instances:
            assert known[instance.mask()].all()


def test_captions_keep_to_their_vocabulary():
    words = set()
    for subjects in ("people", "animals", "all"):
        for sample in PuppetsReader(25, seed=5, size=(32, 32), truths=("caption",), subjects=subjects):
            words |= set(sample.caption.replace(",", "").split())
    assert words <= set(CAPTION_WORDS)
    assert len(words) > 50
    assert list(CAPTION_WORDS) == sorted(set(CAPTION_WORDS))


def test_frames_of_a_scene_share_group_and_identities():
    reader = PuppetsReader(6, seed=4, size=(48, 48), truths=("identity", "boxes"), num_frames=3)
    assert reader.groups == [sample.group for sample in reader]
    assert len(set(reader.groups)) == 2
    assert len({sample.key for sample in reader}) == 6
    identities = [{i.identity for i in sample.instances} for sample in reader]
    assert identities[0] & identities[1]
    assert not identities[0] & identities[3]
    assert not np.array_equal(reader[0].image(), reader[1].image())


def test_categories_and_skeleton_follow_the_subjects():
    assert PuppetsReader(1, subjects="people").skeleton is OPENPOSE_18
    assert PuppetsReader(1, subjects="animals").skeleton is ANIMAL_17
    mixed = PuppetsReader(12, subjects="all", size=(32, 32))
    assert mixed.skeleton is None
    assert {i.category for sample in mixed for i in sample.instances} <= set(mixed.categories)


def test_check_reports_what_is_there(reader):
    summary = reader.check()
    assert summary.num_samples == 16
    assert summary.num_instances == sum(len(sample.instances) for sample in reader)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="puppets know no truth 'poses'"):
        PuppetsReader(1, truths=("poses",))
    with pytest.raises(ConfigError, match=r"num_subjects=\(3, 1\) is not a range"):
        PuppetsReader(1, num_subjects=(3, 1))
    with pytest.raises(DataError, match="at least one sample"):
        PuppetsReader(0)
    with pytest.raises(ConfigError, match="cannot be rendered at 4 x 4 pixels"):
        PuppetsReader(1, size=(4, 4))
    with pytest.raises(IndexError):
        PuppetsReader(2)[2]
