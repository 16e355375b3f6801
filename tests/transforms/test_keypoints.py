import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18
from gensight.transforms import can_convert, convert_keypoints


def coco(visibility=None) -> Keypoints:
    rng = np.random.default_rng(0)
    visibility = np.full(17, 3, np.int8) if visibility is None else visibility
    return Keypoints(COCO_17, rng.uniform(0, 100, (17, 2)), visibility, rng.random(17).astype(np.float32))


def test_points_go_by_name_and_back():
    people = coco()
    openpose = convert_keypoints(people, OPENPOSE_18)
    assert openpose.skeleton is OPENPOSE_18
    for index, name in enumerate(OPENPOSE_18.keypoints):
        if name != "neck":
            assert np.array_equal(openpose.points[index], people.points[COCO_17.keypoints.index(name)])
    back = convert_keypoints(openpose, COCO_17)
    assert np.array_equal(back.points, people.points)
    assert np.array_equal(back.confidence, people.confidence)


def test_the_same_skeleton_is_returned_as_it_is():
    people = coco()
    assert convert_keypoints(people, COCO_17) is people


@pytest.mark.parametrize(
    ("left", "right", "neck"),
    [
        (Visibility.VISIBLE, Visibility.VISIBLE, Visibility.VISIBLE),
        (Visibility.VISIBLE, Visibility.OCCLUDED, Visibility.OCCLUDED),
        (Visibility.VISIBLE, Visibility.UNLABELLED, Visibility.UNLABELLED),
        (Visibility.ABSENT, Visibility.VISIBLE, Visibility.UNLABELLED),
    ],
)
def test_a_neck_is_labelled_where_both_shoulders_are(left, right, neck):
    visibility = np.full(17, 3, np.int8)
    visibility[5:7] = left, right
    people = coco(visibility)
    openpose = convert_keypoints(people, OPENPOSE_18)
    assert openpose.visibility[1] == neck
    np.testing.assert_allclose(openpose.points[1], (people.points[5] + people.points[6]) / 2)


def test_what_cannot_be_converted_is_named():
    assert can_convert(COCO_17, OPENPOSE_18)
    assert not can_convert(ANIMAL_17, COCO_17)
    with pytest.raises(
        ConfigError, match="keypoints of coco-17 cannot be given as animal-17: no tail_root, left_front"
    ):
        convert_keypoints(coco(), ANIMAL_17)
