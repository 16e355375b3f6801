import numpy as np
import pytest
import torch

from gensight.samples import (
    Batch,
    Depth,
    Instance,
    Item,
    Keypoints,
    Prediction,
    Query,
    Sample,
    ScoreMap,
    View,
    Visibility,
    merge_predictions,
)
from gensight.skeletons import Skeleton


def sample(key="a", **fields) -> Sample:
    return Sample(key, (4, 6), lambda: np.zeros((4, 6, 3), np.uint8), **fields)


def test_the_image_is_read_when_it_is_asked_for():
    def fail():
        raise AssertionError("read too early")

    lazy = Sample("a", (4, 6), fail)
    with pytest.raises(AssertionError, match="read too early"):
        lazy.image()


def test_a_sample_is_its_own_group_unless_told():
    assert sample("video.mp4#3").group == "video.mp4#3"
    assert sample("video.mp4#3", group="video.mp4").group == "video.mp4"


def test_located_keypoints_are_the_occluded_and_the_visible():
    order = [Visibility.UNLABELLED, Visibility.ABSENT, Visibility.OCCLUDED, Visibility.VISIBLE]
    points = Keypoints(Skeleton("k", tuple("abcd")), np.zeros((4, 2)), np.array(order, np.int8), np.ones(4, np.float32))
    assert points.located.tolist() == [False, False, True, True]


def test_an_item_s_key_tells_instances_pairs_and_queries_apart():
    keys = {
        Item((sample("a"),)).key,
        Item((sample("a"),), 0).key,
        Item((sample("a"),), 1).key,
        Item((sample("b"),), 1).key,
        Item((sample("a"), sample("b"))).key,
        Item((sample("a"),), 0, Query("cat", "detect")).key,
        Item((sample("a"),), 0, Query("dog", "detect")).key,
        Item((sample("a"),), 0, Query("cat", "segment")).key,
    }
    assert len(keys) == 8


def test_an_item_s_subject_is_its_instance():
    one, two = Instance("cat"), Instance("dog")
    assert Item((sample(instances=(one, two)),), 1).subject is two
    assert Item((sample(instances=(one, two)),)).subject is None
    assert Item((sample(),), 0).subject is None


def test_a_view_keeps_float64_and_inverts_exactly():
    view = View((4, 6), (8, 8), np.array([[2, 0, 1], [0, 3, -1], [0, 0, 1]]))
    assert view.matrix.dtype == np.float64
    np.testing.assert_allclose(view.inverse @ view.matrix, np.eye(3), atol=1e-12)


def test_a_batch_moves_all_its_tensors():
    view = View((4, 6), (8, 8), np.eye(3))
    batch = Batch(
        items=[Item((sample(),))],
        views=[(view,)],
        keys=torch.tensor([5]),
        images=(torch.zeros(1, 3, 8, 8),),
        features=({"up": torch.zeros(1, 4, 2, 2)},),
        targets={"heatmaps": torch.zeros(1, 2, 4, 4)},
    )
    moved = batch.to("meta")
    assert len(moved) == 1
    assert moved.image.device.type == moved.features[0]["up"].device.type == "meta"
    assert moved.targets["heatmaps"].device.type == "meta"
    assert moved.items is batch.items
    assert batch.image.device.type == "cpu"
    assert Batch([], [], torch.zeros(0, dtype=torch.int64)).to("cpu").features is None


def test_predictions_of_one_image_are_merged_in_order():
    depth = Depth(np.ones((4, 6), np.float32))
    view = View((4, 6), (8, 8), np.eye(3))
    first = Prediction("a", (4, 6), (Instance("cat"),), item_key="a|0", group="g")
    other = Prediction("b", (4, 6), (Instance("owl"),), item_key="b|0")
    second = Prediction(
        "a",
        (4, 6),
        (Instance("dog"),),
        depth,
        {"x": 1.0},
        maps={"m": ScoreMap(np.zeros((1, 2, 2)), view)},
        item_key="a|1",
    )
    merged = merge_predictions([first, other, second])
    assert [one.sample_key for one in merged] == ["a", "b"]
    assert [one.category for one in merged[0].instances] == ["cat", "dog"]
    assert merged[0].depth is depth
    assert merged[0].label_scores == {"x": 1.0}
    assert set(merged[0].maps) == {"m"}
    assert merged[0].group == "g"
    assert {one.item_key for one in merged} == {""}
    assert first.instances[0].category == "cat"
    assert len(first.instances) == 1
    assert merge_predictions([]) == []
