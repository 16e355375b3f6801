"""Keypoints as numbers, and pairs of frames for landmarks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gensight.encodings.pairs.landmark_pairs import LandmarkPairs
from gensight.encodings.points import Points
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Instance, Item, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.views import whole_frame
from tests.contracts.encoding import EncodingContract
from tests.encodings.pair_items import Listed

PAIR = Skeleton("pair-3", ("nose", "left_ear", "right_ear"), mirror=(0, 2, 1))


def item(points: np.ndarray) -> Item:
    visible = np.full(3, Visibility.VISIBLE, dtype=np.int8)
    keypoints = Keypoints(PAIR, points, visible, np.ones(3, dtype=np.float32))
    black = np.zeros((96, 128, 3), np.uint8)
    return Item((Sample("one", (96, 128), black.copy, (Instance(keypoints=keypoints),)),), 0)


class TestPoints(EncodingContract):
    def encoding(self):
        return Points(PAIR)

    def item(self, rng):
        return item(rng.uniform([45, 30], [85, 66], (3, 2)))

    def assert_within_bound(self, prediction, item, view):
        found, truth = prediction.instances[0].keypoints.points, item.subject.keypoints.points
        assert np.abs(image_to_model(found, view) - image_to_model(truth, view)).max() < 1e-4

    def test_mirror_takes_batches(self, rng, view):
        one = self.answer(self.item(rng), self.views(view))
        batch = self.encoding().mirror({"points": torch.stack([one["points"]] * 2)})["points"]
        torch.testing.assert_close(batch[1], self.encoding().mirror(one)["points"])


def test_temporal_pairs_keep_to_their_video_and_distance() -> None:
    reader = PuppetsReader(8, seed=0, size=(32, 32), truths=(), num_frames=4)
    pairs = LandmarkPairs(3, "temporal", (2, 3)).build_items(reader)
    keys = [sample.key for sample in reader]
    for pair in pairs:
        first, second = (keys.index(sample.key) for sample in pair.samples)
        assert first // 4 == second // 4
        assert 2 <= abs(first - second) <= 3
    again = LandmarkPairs(3, "temporal", (2, 3)).build_items(reader)
    assert [pair.key for pair in pairs] == [pair.key for pair in again]


def test_still_images_have_only_warps() -> None:
    reader = PuppetsReader(3, seed=0, size=(32, 32), truths=())
    with pytest.raises(DataError, match="no two images of one group"):
        LandmarkPairs(3, "temporal").build_items(reader)
    assert [len(one.samples) for one in LandmarkPairs(3, "warped").build_items(reader)] == [1, 1, 1]
    assert [len(one.samples) for one in LandmarkPairs(3, "both").build_items(reader)] == [2, 2, 2]


def test_frames_that_are_cropped_need_their_subjects_box() -> None:
    samples = list(PuppetsReader(4, seed=0, size=(64, 64), num_subjects=(1, 1), num_frames=4))
    assert all(sample.instances for sample in samples)
    gone = Listed([samples[0], replace(samples[1], instances=()), *samples[2:]])
    pairs = LandmarkPairs(3, "temporal", (1, 1), boxed=True).build_items(gone)
    assert {sample.key for pair in pairs for sample in pair.samples} == {gone[n].key for n in (0, 2, 3)}
    assert len(LandmarkPairs(3, "warped", boxed=True).build_items(gone)) == 3
    [subject] = samples[1].instances or ()
    labelled = replace(samples[1], instances=(replace(subject, box=None),))  # as of DeepLabCut: keypoints, no box
    assert len(LandmarkPairs(3, "warped", boxed=True).build_items(Listed([labelled]))) == 1
    with pytest.raises(DataError, match="no frame has a box"):
        LandmarkPairs(3, "warped", boxed=True).build_items(Listed([replace(samples[1], instances=None)]))


def test_landmarks_are_decoded_to_the_image() -> None:
    sample = Sample("one", (48, 64), np.zeros((48, 64, 3), np.uint8).copy)
    views = (whole_frame((48, 64), (32, 32)),)
    values = torch.tensor([0.5, 0.5, 0.0, 0.5, 0.9, 0.2])
    answer = LandmarkPairs(2).decode({"landmarks": values}, Item((sample,)), views).instances[0].keypoints
    assert answer is not None
    np.testing.assert_allclose(answer.points, [[32, 24], [0, 24]], atol=1e-6)
    np.testing.assert_allclose(answer.confidence, [0.9, 0.2])


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="not a range of frames"):
        LandmarkPairs(3, distance=(5, 2))
