from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from gensight.errors import DataError
from gensight.geometry import image_to_model, warp_image
from gensight.samples import Instance, Visibility
from gensight.skeletons import ANIMAL_17, COCO_17
from gensight.teachers.models.pose import PoseTeacher, pose_view
from tests.contracts.teacher import PretrainedContract
from tests.teachers.samples import person, sample, waves

BOX = (10.3, 5.1, 31.7, 38.9)
GRID = (16, 12)
MODEL = (64, 48)


def _places(box) -> np.ndarray:
    """(17, 2) image points that lie within a box."""
    rng = np.random.default_rng(3)
    return rng.uniform(box[:2], box[2:], (17, 2))


def _udp_heatmaps(points: np.ndarray, box, sigma: float = 2 / 64 * 16) -> np.ndarray:
    """Heatmaps as the model is taught them, by the formula of its training code: pixel centres are whole numbers."""
    size = np.array(box[2:]) - np.array(box[:2])
    aspect = MODEL[1] / MODEL[0]
    spans = 1.25 * np.array([max(size[0], size[1] * aspect), max(size[1], size[0] / aspect)])
    start = (np.array(box[:2]) + np.array(box[2:])) / 2 - 0.5 - spans / 2
    centres = (points - 0.5 - start) * (np.array([GRID[1], GRID[0]]) - 1) / spans
    y, x = np.mgrid[0 : GRID[0], 0 : GRID[1]]
    return np.exp(-((x - centres[:, 0, None, None]) ** 2 + (y - centres[:, 1, None, None]) ** 2) / (2 * sigma**2))


class Stub:
    """Answers with given heatmaps; a mirrored crop with mirrored ones."""

    def __init__(self, maps: np.ndarray, skeleton=COCO_17) -> None:
        self.maps = torch.from_numpy(maps.astype(np.float32))
        self.config = SimpleNamespace(
            backbone_config=SimpleNamespace(num_experts=1), id2label=dict(enumerate(skeleton.keypoints))
        )

    def __call__(self, pixel_values):
        return SimpleNamespace(heatmaps=self.maps[None].expand(len(pixel_values), -1, -1, -1))


@pytest.fixture
def teacher(tiny_model):
    return PoseTeacher(str(tiny_model("vitpose")), device="cpu", threshold=0.0)


class TestPoseTeacher(PretrainedContract):
    kind = PoseTeacher
    families = ("vitpose", pytest.param("vitpose-experts", marks=pytest.mark.slow))
    settings = {"threshold": 0.0}  # noqa: RUF012

    @pytest.fixture
    def samples(self):
        boxes = person(*BOX, number=7, confidence=0.5), person(0, 0, 9, 9, category="cat")
        return [sample(instances=boxes), sample((30, 30), (), seed=1)]

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        assert len(labelled.instances) == len(sample.instances[:1])
        for found in labelled.instances:
            assert found.id == 7
            np.testing.assert_array_equal(found.box, BOX)
            assert found.keypoints.skeleton == COCO_17
            assert found.keypoints.points.shape == (17, 2)
            assert np.isfinite(found.keypoints.points).all()
            assert ((found.keypoints.confidence >= 0) & (found.keypoints.confidence <= 1)).all()
            assert found.confidence == pytest.approx(0.5 * found.keypoints.confidence.mean())
            assert found.provenance.confidence == found.confidence


def test_heatmaps_come_back_to_the_image_frame(teacher):
    points = _places(BOX)
    teacher._model = Stub(_udp_heatmaps(points, BOX))
    (found,) = teacher.label([sample(instances=(person(*BOX),))])[0].instances
    np.testing.assert_allclose(found.keypoints.points, points, atol=0.01)
    assert (found.keypoints.confidence > 0.3).all()  # half a cell off the peak of such narrow Gaussians


@pytest.mark.parametrize("box", [(2.0, 30.0, 58.5, 39.0), (20.0, 1.0, 24.0, 40.0), (-5.0, -3.0, 30.0, 20.0)])
def test_any_box_comes_back(teacher, box):
    points = _places(box)
    teacher._model = Stub(_udp_heatmaps(points, box))
    (found,) = teacher.estimate(waves((40, 60)), np.array([box]))
    np.testing.assert_allclose(found.points, points, atol=0.01)


def test_the_flip_test_swaps_left_and_right(tiny_model):
    teacher = PoseTeacher(str(tiny_model("vitpose")), device="cpu", flip_test=True)
    maps = _udp_heatmaps(_places(BOX), BOX)
    mirror = np.array(COCO_17.mirror)

    class Mirrored(Stub):
        calls = 0

        def __call__(self, pixel_values):
            self.calls += 1
            turned = maps[mirror][:, :, ::-1] if self.calls % 2 == 0 else maps
            return SimpleNamespace(heatmaps=torch.from_numpy(np.ascontiguousarray(turned, np.float32))[None])

    teacher._model = Mirrored(maps)
    (found,) = teacher.estimate(waves((40, 60)), np.array([BOX]))
    np.testing.assert_allclose(found.points, _places(BOX), atol=0.01)
    assert teacher._model.calls == 2
    assert teacher.fingerprint() != PoseTeacher(str(tiny_model("vitpose"))).fingerprint()


def test_unsure_keypoints_stay_unlabelled(tiny_model):
    teacher = PoseTeacher(str(tiny_model("vitpose")), device="cpu", threshold=0.3)
    maps = _udp_heatmaps(_places(BOX), BOX)
    maps[4] *= 0.2
    teacher._model = Stub(maps)
    (found,) = teacher.label([sample(instances=(person(*BOX),))])[0].instances
    assert found.keypoints.visibility[4] == Visibility.UNLABELLED
    assert np.isnan(found.keypoints.points[4]).all()
    assert (np.delete(found.keypoints.visibility, 4) == Visibility.VISIBLE).all()
    (guess,) = teacher.estimate(waves((40, 60)), np.array([BOX]))
    assert guess.visibility[4] == Visibility.ABSENT
    assert np.isfinite(guess.points).all()


def test_crop_and_decoding_agree_with_the_librarys_own(teacher):
    """Up to the decoders: theirs smooths before it refines. Boxes differ by half a pixel in what 0 means."""
    image = waves((40, 60))
    processor = VitPoseImageProcessorPil(size={"height": 64, "width": 48}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    corner = np.array(BOX[:2]) - 0.5
    box = [*corner, BOX[2] - BOX[0], BOX[3] - BOX[1]]
    theirs = processor(image, boxes=[[box]], return_tensors="pt")["pixel_values"][0].numpy()
    view = pose_view((40, 60), np.array(BOX), MODEL)
    ours = teacher.preprocessing.normalize(warp_image(image, view))[0].numpy()
    inner = np.s_[:, 12:-12, 8:-8]
    assert np.abs(ours[inner] - theirs[inner]).max() < 0.05
    maps = _udp_heatmaps(_places(BOX), BOX, sigma=2.0)
    outputs = SimpleNamespace(heatmaps=torch.from_numpy(maps.astype(np.float32))[None])
    (person_found,) = processor.post_process_pose_estimation(outputs, boxes=[[box]])[0]
    np.testing.assert_allclose(person_found["keypoints"].numpy() + 0.5, _places(BOX), atol=0.5)


def test_the_crop_spans_the_frame_between_the_centres_of_its_corner_pixels():
    view = pose_view((100, 100), np.array([20.0, 20.0, 50.0, 60.0]), MODEL)
    corners = np.array([[35 - 1.25 * 15, 40 - 1.25 * 20], [35 + 1.25 * 15, 40 + 1.25 * 20]])
    np.testing.assert_allclose(image_to_model(corners, view), [[0.5, 0.5], [47.5, 63.5]])


def test_named_keypoints_make_the_skeleton(teacher):
    teacher._model = Stub(np.zeros((17, *GRID)), ANIMAL_17)
    assert teacher.skeleton == ANIMAL_17


def test_names_of_published_models_are_understood(teacher):
    names = ["Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist",
             "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle"]  # fmt: skip
    teacher._model = Stub(np.zeros((17, *GRID)), SimpleNamespace(keypoints=names))
    assert teacher.skeleton == COCO_17


def test_an_image_without_boxes_is_refused(teacher):
    with pytest.raises(DataError, match="needs boxes") as caught:
        teacher.label([sample()])
    assert "annotate with a detector first (`detect:MODEL`)" in str(caught.value)


def test_crowds_and_instances_without_a_box_are_left_out(teacher):
    crowd = Instance("person", np.array(BOX), is_crowd=True)
    assert teacher.label([sample(instances=(crowd, Instance("person")))])[0].instances == ()
