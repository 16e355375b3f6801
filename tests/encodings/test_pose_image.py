import cv2
import numpy as np
import pytest
import torch

from gensight.drawing.openpose import hues
from gensight.encodings.pose_image import PoseImage
from gensight.errors import ConfigError
from gensight.geometry import box_size, image_to_model, inside
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Instance, Item, Keypoints, Sample, Visibility
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18
from gensight.transforms import around_box, mirror_view, whole_frame
from tests.contracts.encoding import EncodingContract

# A person of height 1 who stands with limbs apart: x, y from the top left of the box, in OpenPose's order.
STANDING = np.array([
    (0.50, 0.13), (0.50, 0.24), (0.38, 0.24), (0.24, 0.34), (0.12, 0.44), (0.62, 0.24), (0.76, 0.34), (0.88, 0.44),
    (0.42, 0.54), (0.36, 0.76), (0.32, 0.98), (0.58, 0.54), (0.64, 0.76), (0.68, 0.98), (0.42, 0.03), (0.58, 0.03),
    (0.33, 0.10), (0.67, 0.10),
])  # fmt: skip


def _blank():
    return np.zeros((96, 128, 3), np.uint8)


def person(points, visibility=None, skeleton=OPENPOSE_18, **fields) -> Instance:
    points = np.asarray(points, dtype=np.float64)
    visibility = np.full(len(points), Visibility.VISIBLE) if visibility is None else np.asarray(visibility)
    keypoints = Keypoints(skeleton, points, visibility.astype(np.int8), np.ones(len(points), np.float32))
    return Instance("person", keypoints=keypoints, **fields)


def sample(*people, size=(96, 128)) -> Sample:
    return Sample("a", size, _blank, instances=tuple(people), group="video")


class PoseContract(EncodingContract):
    model_size = (160, 240)

    def item(self, rng):
        low = rng.uniform([22, 8], [30, 12])
        return Item((sample(person(low + STANDING * rng.uniform(74, 80, 2))),), 0)

    def assert_within_bound(self, prediction, item, view):
        assert len(prediction.instances) == 1
        hidden = prediction.instances[0].keypoints.visibility != Visibility.VISIBLE
        assert hidden.sum() <= 1  # a nose may lie under the dots of the eyes
        model_px = np.sqrt(abs(np.linalg.det(view.matrix[:2, :2])))
        errors = prediction.instances[0].keypoints.points - item.sample.instances[0].keypoints.points
        assert model_px * np.linalg.norm(errors, axis=1)[~hidden].max() < 4  # one cell

    def test_mirror_turns_a_mirrored_answer_back(self, rng, view):
        """Colours name keypoints, so the picture is read and drawn again: right to a part of a cell."""
        encoding, item = self.encoding(), self.item(rng)
        upright = encoding.encode(item, (view,))["pose"]
        turned = encoding.mirror({"pose": encoding.encode(item, (mirror_view(view),))["pose"]})["pose"]
        assert float((turned - upright).abs().mean()) < 0.25 * float(upright.mean())
        wrong = encoding.encode(item, (mirror_view(view),))["pose"].flip(-1)  # flipped only: sides have traded colours
        assert float((wrong - upright).abs().mean()) > 0.5 * float(upright.mean())

    def test_mirror_takes_batches(self, rng, view):
        encoding = self.encoding()
        first, second = (encoding.encode(self.item(rng), (view,))["pose"] for _ in range(2))
        batch = encoding.mirror({"pose": torch.stack([first, second])})["pose"]
        for one, turned in zip((first, second), batch, strict=True):
            torch.testing.assert_close(encoding.mirror({"pose": one})["pose"], turned)


class TestSubject(PoseContract):
    def encoding(self):
        return PoseImage(OPENPOSE_18)


class TestAll(PoseContract):
    def encoding(self):
        return PoseImage(OPENPOSE_18, instances="all")

    def item(self, rng):
        return Item(super().item(rng).samples)


@pytest.fixture(scope="module")
def puppets():
    reader = PuppetsReader(24, seed=5, size=(192, 192), subjects="people", truths=("keypoints", "boxes"))
    return [item for one in reader for item in PoseImage(OPENPOSE_18).items(one)]


def share_found(items, side, change) -> float:
    """Share of visible joints in the frame that come back within 0.05 of the box's longer side."""
    encoding = PoseImage(OPENPOSE_18)
    right = total = 0
    for item in items:
        view = around_box(item.sample.size, item.subject.box, (side, side))
        outputs = {"pose": change(encoding.encode(item, (view,))["pose"])}
        found = encoding.decode(outputs, item, (view,)).instances[0].keypoints.points
        truth = item.subject.keypoints
        seen = (truth.visibility == Visibility.VISIBLE) & inside(image_to_model(truth.points, view), view.model_size)
        near = np.linalg.norm(found - truth.points, axis=1) <= 0.05 * max(box_size(item.subject.box))
        right, total = right + int((near & seen).sum()), total + int(seen.sum())
    assert total > 100
    return right / total


def blurred(maps):
    return torch.from_numpy(np.stack([cv2.GaussianBlur(one, (0, 0), 0.8) for one in maps.numpy()]))


def test_synthetic_people_are_decoded(puppets):
    assert share_found(puppets, 128, lambda maps: maps) > 0.95
    assert share_found(puppets[::3], 256, lambda maps: maps) > 0.97


def test_blurred_dim_and_noisy_pictures_are_read_too(puppets):
    rng = np.random.default_rng(0)
    assert share_found(puppets[::2], 256, lambda maps: 0.5 * blurred(maps)) > 0.9
    noise = lambda maps: maps + 0.08 * torch.from_numpy(rng.standard_normal(maps.shape).astype(np.float32))  # noqa: E731
    assert share_found(puppets[::2], 256, noise) > 0.93


def test_several_people_are_separated():
    people = [person(np.array([x, 20]) + STANDING * [30, 60]) for x in (4.0, 45.0, 88.0)]
    one = sample(*people)
    view = whole_frame((96, 128), (192, 256))
    for chosen in (view, mirror_view(view)):
        encoding = PoseImage(OPENPOSE_18, instances="all")
        found = encoding.decode(encoding.encode(Item((one,)), (chosen,)), Item((one,)), (chosen,)).instances
        assert len(found) == 3
        found = sorted(found, key=lambda instance: instance.keypoints.points[1, 0])
        for instance, truth in zip(found, people, strict=True):
            errors = np.linalg.norm(instance.keypoints.points - truth.keypoints.points, axis=1)
            assert np.nanmedian(errors) < 0.5
            assert (errors < 2).mean() > 0.8


def test_nobody_is_found_in_the_dark():
    one, view = sample(person(20 + STANDING * 60)), whole_frame((96, 128), (96, 128))
    dark = {"pose": torch.full((3, 24, 32), 0.02)}
    assert PoseImage(OPENPOSE_18, instances="all").decode(dark, Item((one,)), (view,)).instances == ()
    (alone,) = PoseImage(OPENPOSE_18).decode({"pose": torch.zeros(3, 24, 32)}, Item((one,), 0), (view,)).instances
    assert np.isnan(alone.keypoints.points).all()
    assert (alone.keypoints.visibility == Visibility.ABSENT).all()
    assert alone.confidence == 0


def test_dim_dots_are_less_certain():
    one, view = Item((sample(person(20 + STANDING * 60)),), 0), whole_frame((96, 128), (192, 256))
    encoding = PoseImage(OPENPOSE_18)
    maps = encoding.encode(one, (view,))["pose"]
    bright, dim = (encoding.decode({"pose": share * maps}, one, (view,)).instances[0] for share in (1.0, 0.4))
    assert bright.confidence > 0.95
    assert 0.5 < dim.confidence < bright.confidence - 0.1
    assert (dim.keypoints.visibility == Visibility.VISIBLE).all()


def test_a_missing_arm_is_not_seen():
    visibility = np.full(18, Visibility.VISIBLE)
    visibility[[3, 4]] = Visibility.ABSENT
    points = 20 + STANDING * 60
    points[[3, 4]] = np.nan
    one, view = Item((sample(person(points, visibility)),), 0), whole_frame((96, 128), (192, 256))
    encoding = PoseImage(OPENPOSE_18)
    found = encoding.decode(encoding.encode(one, (view,)), one, (view,)).instances[0].keypoints
    assert np.flatnonzero(found.visibility == Visibility.ABSENT).tolist() == [3, 4]
    assert (found.confidence[[3, 4]] < 0.5).all()


def test_colours_stand_for_the_visible_side_in_a_mirrored_view():
    one = Item((sample(person(20 + STANDING * 60)),), 0)
    view = mirror_view(whole_frame((96, 128), (192, 256)))
    maps = PoseImage(OPENPOSE_18).encode(one, (view,))["pose"].numpy()
    left_wrist = image_to_model(one.subject.keypoints.points[7], view) / 4  # it looks like a right one
    x, y = np.floor(left_wrist).astype(int)
    np.testing.assert_allclose(maps[:, y, x] / maps[:, y, x].max(), hues(18)[4], atol=0.2)


def test_keypoints_outside_of_the_frame_are_not_drawn():
    points = np.array([10.0, 20.0]) + STANDING * 60
    one = Item((sample(person(points)),), 0)
    view = around_box((96, 128), np.array([0.0, 0.0, 40.0, 60.0]), (128, 128), padding=1.0)
    encoding = PoseImage(OPENPOSE_18)
    found = encoding.decode(encoding.encode(one, (view,)), one, (view,)).instances[0].keypoints
    hidden = ~inside(image_to_model(points, view), view.model_size)
    assert hidden.sum() > 3
    assert (found.visibility[hidden] == Visibility.ABSENT).all()


def test_crowds_and_people_without_keypoints_have_no_weight_among_all():
    known = person(np.array([60, 20]) + STANDING * 60, box=np.array([60.0, 20, 120, 80]))
    crowd = Instance("person", box=np.array([0.0, 0, 16, 32]), is_crowd=True)
    bare = Instance("person", box=np.array([16.0, 64, 33, 200]))
    one, view = Item((sample(known, crowd, bare),)), whole_frame((96, 128), (96, 128))
    weight = PoseImage(OPENPOSE_18, instances="all").encode(one, (view,))["pose_weight"][0]
    expected = np.ones((24, 32))
    expected[:8, :4] = 0
    expected[16:, 4:9] = 0
    assert np.array_equal(weight.numpy(), expected)
    alone = PoseImage(OPENPOSE_18).encode(Item(one.samples, 0), (view,))
    assert alone["pose_weight"].min() == 1


def test_items_are_samples_or_subjects():
    animal = person(np.ones((17, 2)), skeleton=ANIMAL_17)
    coco = person(np.ones((17, 2)), skeleton=COCO_17)
    crowd = person(np.ones((18, 2)), is_crowd=True)
    unlabelled = person(np.full((18, 2), np.nan), np.zeros(18))
    one = sample(animal, coco, crowd, unlabelled, person(np.ones((18, 2))))
    assert [item.instance for item in PoseImage(OPENPOSE_18).items(one)] == [1, 4]
    assert [item.instance for item in PoseImage(OPENPOSE_18, instances="all").items(one)] == [None]
    assert PoseImage(OPENPOSE_18, instances="all").items(sample(animal, crowd, unlabelled)) == []


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match="stride must be at least 1 model pixel per cell, got 0"):
        PoseImage(OPENPOSE_18, stride=0)
    with pytest.raises(ConfigError, match="is not a whole number of pose image cells of 4"):
        PoseImage(OPENPOSE_18).grid_size((30, 32))
