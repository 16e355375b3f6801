import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gensight.errors import DataError
from gensight.geometry import image_to_model
from gensight.readers.shared.label_maps import PackedMask
from gensight.teachers.models.masks import BoxMaskTeacher, GridMaskTeacher, point_grid, stability
from tests.contracts.teacher import PretrainedContract
from tests.teachers.samples import person, sample

FAMILIES = (
    "sam",
    pytest.param("sam-hq", marks=pytest.mark.slow),
    pytest.param("sam2", marks=pytest.mark.slow),
    "sam2-video",
)


class Stub:
    """Answers each prompt with a disc about it, and records the prompts."""

    def __init__(self, grid: int, model_side: int, radius: float, overlaps=(0.9,)) -> None:
        self.grid, self.side, self.radius, self.overlaps = grid, model_side, radius, overlaps
        self.prompts = []

    def get_image_embeddings(self, values):
        return values

    def __call__(self, image_embeddings, multimask_output, input_boxes=None, input_points=None):
        self.prompts.append(input_boxes if input_points is None else input_points)
        centres = input_points[0, :, 0] if input_boxes is None else input_boxes[0].reshape(-1, 2, 2).mean(1)
        cells = (torch.arange(self.grid) + 0.5) * self.side / self.grid - 0.5
        far = (cells[None, None, :] - centres[:, 0, None, None]) ** 2 + (
            cells[None, :, None] - centres[:, 1, None, None]
        ) ** 2
        logits = 10 * (self.radius - far.sqrt())
        scores = torch.tensor(self.overlaps).expand(len(centres), len(self.overlaps))
        masks = logits[:, None].expand(-1, len(self.overlaps), -1, -1)
        return SimpleNamespace(pred_masks=masks[None], iou_scores=scores[None])


class TestBoxMaskTeacher(PretrainedContract):
    kind = BoxMaskTeacher
    families = FAMILIES
    settings = {"category": "person"}  # noqa: RUF012

    @pytest.fixture
    def samples(self):
        boxes = person(5, 5, 30, 38, number=3, confidence=0.5), person(0, 0, 9, 9, category="cat")
        return [sample(instances=boxes), sample((33, 21), (person(2, 2, 20, 30, number=3, confidence=0.5),), seed=1)]

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        (instance,) = labelled.instances
        mask = instance.mask()
        assert mask.dtype == bool
        assert mask.shape == sample.size
        assert instance.area == mask.sum()
        assert instance.id == 3
        assert instance.confidence <= 0.5


class TestGridMaskTeacher(PretrainedContract):
    kind = GridMaskTeacher
    families = FAMILIES
    settings = {"num_points": 2, "threshold": 0.0, "stability": 0.0}  # noqa: RUF012

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        for instance in labelled.instances:
            assert instance.mask().shape == sample.size
            assert instance.id is None


@pytest.mark.parametrize("family", ["sam", "sam2-video"])
def test_prompts_and_masks_keep_to_the_image_frame(tiny_model, family):
    teacher = BoxMaskTeacher(str(tiny_model(family)), device="cpu")
    teacher._model = Stub(grid=64, model_side=64, radius=10)
    one = sample((40, 80), (person(21, 8, 45, 30),))
    (found,) = teacher.label([one])[0].instances
    _, view = teacher.preprocessing(one.image())
    corners = image_to_model(np.array([[21.0, 8.0], [45.0, 30.0]]), view)
    np.testing.assert_allclose(teacher._model.prompts[0].reshape(2, 2) + 0.5, corners, atol=1e-5)
    y, x = np.mgrid[0:40, 0:80] + 0.5
    at = image_to_model(np.stack([x, y], axis=-1), view) - image_to_model(np.array([33.0, 19.0]), view)
    distance = np.linalg.norm(at, axis=-1)
    sure = np.abs(distance - 10) > 0.3
    np.testing.assert_array_equal(found.mask()[sure], (distance < 10)[sure])
    assert found.confidence == pytest.approx(0.9)


def test_of_masks_that_nearly_agree_the_best_is_kept(tiny_model):
    teacher = GridMaskTeacher(str(tiny_model("sam")), device="cpu", num_points=3, stability=0.5)
    teacher._model = Stub(grid=64, model_side=64, radius=9, overlaps=(0.89, 0.95, 0.5))
    found = teacher.label([sample((60, 60))])[0].instances
    assert len(found) == 9
    assert {round(one.confidence, 2) for one in found} == {0.95}
    centres = sorted(((one.box[:2] + one.box[2:]) / 2).tolist() for one in found)
    np.testing.assert_allclose(centres, sorted([x, y] for x in (10, 30, 50) for y in (10, 30, 50)), atol=1.01)
    teacher.stability = 1.01
    assert teacher.label([sample((60, 60))])[0].instances == ()


def test_an_image_without_boxes(tiny_model):
    teacher = BoxMaskTeacher(str(tiny_model("sam")), device="cpu")
    assert teacher.label([sample(instances=())])[0].instances == ()
    with pytest.raises(DataError, match="needs boxes"):
        teacher.label([sample()])


def test_packed_masks_round_trip_and_pickle():
    mask = np.random.default_rng(0).random((7, 13)) > 0.5
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(PackedMask.of(mask)))(), mask)


def test_points_lie_at_the_centres_of_equal_tiles():
    np.testing.assert_allclose(point_grid((10, 20), 2), [[5, 5], [15, 5]])
    assert len(point_grid((1, 100), 4)) == 4


def test_stability_by_hand():
    assert stability(np.array([[2.0, 0.0], [-2.0, 5.0]])) == pytest.approx(2 / 3)
    assert stability(np.full((2, 2), -3.0)) == 0


def test_the_two_ways_of_prompting_are_two_teachers(tiny_model):
    folder = str(tiny_model("sam"))
    assert BoxMaskTeacher(folder).fingerprint() != GridMaskTeacher(folder).fingerprint()
    assert BoxMaskTeacher(folder).needs == ("instances",)
    assert GridMaskTeacher(folder).needs == ()
