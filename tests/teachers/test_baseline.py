import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.samples import Item
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18
from gensight.teachers.baseline import PoseTeacherBaseline
from gensight.teachers.models.pose import PoseTeacher
from tests.teachers.models.test_pose import Stub, _places, _udp_heatmaps
from tests.teachers.samples import person, sample

BOX = (10.3, 5.1, 31.7, 38.9)


@pytest.fixture
def teacher(tiny_model):
    teacher = PoseTeacher(str(tiny_model("vitpose")), device="cpu")
    teacher._model = Stub(_udp_heatmaps(_places(BOX), BOX))
    return teacher


def test_it_answers_in_the_runs_skeleton_with_the_neck_between_the_shoulders(teacher):
    item = Item((sample(instances=(person(0, 0, 5, 5), person(*BOX, number=9))),), instance=1)
    prediction = PoseTeacherBaseline(teacher, OPENPOSE_18)(item)
    (found,) = prediction.instances
    names = OPENPOSE_18.keypoints
    truth = dict(zip(COCO_17.keypoints, _places(BOX), strict=True))
    truth["neck"] = (truth["left_shoulder"] + truth["right_shoulder"]) / 2
    np.testing.assert_allclose(found.keypoints.points, [truth[name] for name in names], atol=0.01)
    assert prediction.item_key == item.key
    assert prediction.sample_key == item.sample.key
    assert found.category == "person"
    np.testing.assert_array_equal(found.box, BOX)
    assert found.confidence == pytest.approx(found.keypoints.confidence.mean())
    assert found.provenance.source == teacher.source


def test_another_body_is_refused(teacher):
    with pytest.raises(ConfigError, match="knows the keypoints of coco-17, not those of animal-17"):
        PoseTeacherBaseline(teacher, ANIMAL_17)


def test_an_item_without_a_box_is_refused(teacher):
    with pytest.raises(DataError, match="no box"):
        PoseTeacherBaseline(teacher, COCO_17)(Item((sample(),)))
