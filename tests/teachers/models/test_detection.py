from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gensight.errors import ConfigError
from gensight.teachers.models.detection import DetectionTeacher
from tests.contracts.teacher import PretrainedContract
from tests.teachers.samples import sample

FAMILIES = ("detr", pytest.param("rt-detr", marks=pytest.mark.slow), "rt-detr-v2", "rf-detr")


class Stub:
    config = SimpleNamespace(id2label={0: "person", 1: "cat", 2: "N/A"})

    def __init__(self, logits, boxes) -> None:
        self.outputs = SimpleNamespace(logits=torch.tensor([logits]).float(), pred_boxes=torch.tensor([boxes]).double())

    def __call__(self, pixel_values):
        return self.outputs


def _share(box, size) -> list[float]:
    """(centre x, centre y, width, height) as shares of the image."""
    x0, y0, x1, y1 = box
    return [(x0 + x1) / 2 / size[1], (y0 + y1) / 2 / size[0], (x1 - x0) / size[1], (y1 - y0) / size[0]]


class TestDetectionTeacher(PretrainedContract):
    kind = DetectionTeacher
    families = FAMILIES
    settings = {"threshold": 0.0}  # noqa: RUF012

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        assert 0 < len(labelled.instances) <= 5
        scores = [instance.confidence for instance in labelled.instances]
        assert scores == sorted(scores, reverse=True)
        for instance in labelled.instances:
            assert instance.category in ("person", "cat")
            assert (instance.box >= 0).all()
            assert (instance.box[2:] <= sample.size[::-1]).all()
            assert instance.provenance.confidence == instance.confidence


@pytest.mark.parametrize("family", FAMILIES)
def test_boxes_come_back_to_the_image_frame(tiny_model, family):
    teacher = DetectionTeacher(str(tiny_model(family)), device="cpu")
    size, box = (40, 60), [10.25, 5.5, 31.125, 38.875]
    teacher._model = Stub([[9.0, -9.0, -9.0, -9.0]], [_share(box, size)])
    (found,) = teacher.label([sample(size)])[0].instances
    np.testing.assert_allclose(found.box, box, atol=1e-6)
    assert found.category == "person"


def test_a_query_of_sigmoids_may_be_two_things_and_one_of_a_softmax_one(tiny_model):
    logits, boxes = [[2.0, 1.0, 8.0], [-9.0, 3.0, -9.0]], [[0.5, 0.5, 0.5, 0.5], [0.2, 0.2, 0.2, 0.2]]
    sigmoids = DetectionTeacher(str(tiny_model("rt-detr-v2")), device="cpu", threshold=0.5)
    sigmoids._model = Stub(logits, boxes)
    found = sigmoids.label([sample()])[0].instances
    assert [one.category for one in found] == ["cat"]  # as many answers as queries; what has no name is left out
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-3.0)))
    softmax = DetectionTeacher(str(tiny_model("detr")), device="cpu", threshold=0.5)
    softmax._model = Stub([[2.0, 1.0, -9.0, -9.0], [-9.0, 1.0, -9.0, 5.0]], boxes)
    found = softmax.label([sample()])[0].instances
    assert [one.category for one in found] == ["person"]
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-4)


def test_only_the_chosen_category_and_scores(tiny_model):
    teacher = DetectionTeacher(str(tiny_model("rt-detr-v2")), device="cpu", category="cat", threshold=0.6)
    logits = [[5.0, -9.0, -9.0], [-9.0, 1.0, -9.0], [-9.0, 0.0, -9.0]]
    teacher._model = Stub(logits, [[0.5, 0.5, 0.5, 0.5]] * 3)
    assert [one.confidence for one in teacher.label([sample()])[0].instances] == [pytest.approx(0.731, abs=1e-3)]


def test_an_unknown_category_is_refused(tiny_model):
    with pytest.raises(ConfigError, match="knows no category 'persn'") as caught:
        DetectionTeacher(str(tiny_model("detr")), device="cpu", category="persn").prepare()
    assert "valid: person, cat" in str(caught.value)
    assert "did you mean `person`?" in str(caught.value)
