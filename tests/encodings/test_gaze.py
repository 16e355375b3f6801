"""The gaze target: a map over the scene, and views that carry the head box."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gensight.encodings.gaze import GazeMap, head_in_scene, quantised_gaussian
from gensight.errors import DataError
from gensight.geometry import box_image_to_model
from gensight.loading.cases import Cases
from gensight.loading.draw_order import Draw
from gensight.loading.gaze_views import GazeViews
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Gaze, Instance, Item
from gensight.transforms.augmentation import Augmentation
from tests.contracts.encoding import EncodingContract, blank_sample

POLICY = GazeViews((64, 96), "stretched-frame", 1.2, (32, 32))
STRONG = Augmentation(flip=0.5, crop=0.8, head_jitter=0.4, brightness=0.4)


def item(points, in_frame=True, head=(20.0, 20, 40, 44)) -> Item:
    gaze = Gaze(np.asarray(points, dtype=np.float64).reshape(-1, 2), in_frame)
    sample = blank_sample(instances=(Instance("person", head_box=np.array(head), gaze=gaze),))
    return Item((sample, sample), instance=0)


class TestGazeMap(EncodingContract):
    def encoding(self):
        return GazeMap((64, 64), 3.0)

    def item(self, rng):
        return item(rng.uniform(30, 66, (1, 2)))

    def assert_within_bound(self, prediction, item, view):
        truth, found = item.subject.gaze.points[0], prediction.instances[0].gaze.points[0]
        cells = np.abs(view.matrix[:2, :2] @ (found - truth)) * 64 / np.array(view.model_size[::-1])
        assert cells.max() <= 0.51

    def test_out_of_frame_supervises_the_flag_alone(self, view):
        targets = GazeMap((16, 16), 1.0).encode(item([], False), (view, view))
        assert (float(targets["gaze"].max()), float(targets["gaze_weight"])) == (0, 0)
        assert (float(targets["in_frame"]), float(targets["in_frame_weight"])) == (0, 1)

    def test_several_annotators_share_one_map_of_peak_one(self, view):
        targets = self.encoding().encode(item([[40, 40], [44, 40], [80, 60]]), (view, view))
        assert float(targets["gaze"].max()) == pytest.approx(1)
        assert targets["gaze_point"].tolist() == pytest.approx([164 / 3 / 128, 140 / 3 / 96], abs=0.2)


def test_the_kernel_of_the_public_codes():
    drawn = quantised_gaussian(np.array([30.7, 20.2]), (64, 64), 3.0)
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (20, 30)
    assert (drawn > 0).sum() == 19 * 19
    for place, peak in ((0.2, 1), (8.5, 9), (12.5, 12)):  # truncated towards 0: a cell further in near the border
        assert quantised_gaussian(np.array([place, 32.0]), (64, 64), 3.0).max(0).argmax() == peak


def test_the_head_box_is_what_the_close_up_shows():
    gaze_item = item([[60, 60]])
    scene, close_up = POLICY.views(gaze_item)
    known = box_image_to_model(np.array([18.0, 17.6, 42, 46.4]), scene) / np.array([96, 64, 96, 64])
    np.testing.assert_allclose(head_in_scene((scene, close_up)), known)


def test_augmentation_moves_all_together_and_keeps_what_must_be_seen():
    gaze_item, seen = item([[100, 80]]), set()
    for seed in range(60):
        scene, close_up = POLICY.views(gaze_item, STRONG, [np.random.default_rng(seed)] * 2)
        again = POLICY.views(gaze_item, STRONG, [np.random.default_rng(seed)] * 2)
        np.testing.assert_array_equal(scene.matrix, again[0].matrix)
        assert scene.mirrored == close_up.mirrored
        targets = GazeMap((64, 64)).encode(gaze_item, (scene, close_up))
        assert float(targets["in_frame"]) == 1
        point = scene.matrix[:2, :2] @ [100, 80] + scene.matrix[:2, 2]
        np.testing.assert_allclose(targets["gaze_point"].numpy(), point / [96, 64], atol=1e-5)
        box = head_in_scene((scene, close_up))
        assert (box[2:] > box[:2]).all()
        seen.add(scene.mirrored)
    assert seen == {True, False}


def test_both_images_get_the_same_colours():
    reader = PuppetsReader(2, seed=3, size=(64, 64), truths=("gaze",))
    cases = Cases(reader, GazeMap((16, 16)), GazeViews((64, 64), "stretched-frame", 1.0), Augmentation(brightness=0.5))
    plain = Cases(reader, GazeMap((16, 16)), GazeViews((64, 64), "stretched-frame", 1.0))
    drawn, still = cases[Draw(0, 0, 11)], plain[Draw(0, 0, 11)]
    scene, head = (np.median(a[b > 40] / b[b > 40]) for a, b in zip(drawn.images, still.images, strict=True))
    assert scene == pytest.approx(head, rel=0.03)
    assert scene != pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("head", "message"), [((200.0, 5, 260, 20), "lies outside the image"), (None, "nobody's head")]
)
def test_bad_heads(head, message):
    gaze_item = item([[60, 60]])
    person = replace(gaze_item.subject, head_box=None if head is None else np.array(head))
    sample = replace(gaze_item.sample, instances=(person,))
    with pytest.raises(DataError, match=message):
        POLICY.views(Item((sample, sample), instance=0))


def test_an_image_without_a_head_has_no_items():
    assert GazeMap().items_to_predict(blank_sample(instances=(Instance("person"),))) == []
    assert torch.is_tensor(GazeMap().encode(item([[3, 3]]), POLICY.views(item([[3, 3]])))["gaze"])
