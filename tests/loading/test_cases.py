"""Cases: what a network sees of an item."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gensight.errors import DataError
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw, DrawOrder
from gensight.loading.stream import CaseBatches, each_once
from gensight.loading.views import ViewPolicy, subject_box
from gensight.samples import Instance, Item, Sample
from tests.engine import small_run


def test_same_draw_same_pixels_other_draw_other_pixels() -> None:
    cases = small_run.cases()
    a, b, c = (cases[draw] for draw in (Draw(1, 0, 7), Draw(1, 0, 7), Draw(1, 0, 8)))
    assert np.array_equal(a.images[0], b.images[0])
    assert torch.equal(a.targets["heatmaps"], b.targets["heatmaps"])
    assert not np.array_equal(a.images[0], c.images[0])


def test_fixed_views_depend_on_the_view_not_on_the_draw() -> None:
    cases = small_run.cases()
    fixed = Cases(cases.reader, cases.encoding, cases.policy, cases.augmentation, seed=0, num_views=2)
    assert np.array_equal(fixed[Draw(0, 1, 5)].images[0], fixed[Draw(0, 1, 6)].images[0])
    assert not np.array_equal(fixed[Draw(0, 0, 5)].images[0], fixed[Draw(0, 1, 5)].images[0])


def test_targets_follow_the_picture() -> None:
    """The brightest red lies where the first heatmap peaks, also in augmented views."""
    cases = small_run.cases()
    for key in range(12):
        case = cases[Draw(key, 0, key)]
        heatmap = case.targets["heatmaps"][0].numpy()
        if heatmap.max() < 0.5:
            continue  # turned out of the frame
        red = case.images[0].astype(float)
        ys, xs = np.nonzero(red[..., 0] - red[..., 1:].max(-1) > 120)
        row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
        assert np.hypot(xs.mean() / 4 - column - 0.4, ys.mean() / 4 - row - 0.4) < 1


def test_batches_are_stacked_in_unit_range() -> None:
    cases = small_run.cases()
    batch = collate([cases[Draw(i, 0, i)] for i in range(3)])
    assert batch.image.shape == (3, 3, 32, 32)
    assert 0 <= batch.image.min() < batch.image.max() <= 1
    assert batch.targets["heatmaps"].shape == (3, 2, 8, 8)
    assert batch.keys.tolist() == [0, 1, 2]


def test_workers_load_the_same_batches() -> None:
    cases = small_run.cases()
    streams = [iter(CaseBatches(cases, DrawOrder(12, 4, 0)).from_step(2, num_workers=n)) for n in (0, 1)]
    alone, helped = (next(stream) for stream in streams)
    assert torch.equal(alone.image, helped.image)
    assert [item.key for item in alone.items] == [item.key for item in helped.items]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_mistake_in_the_data_reaches_the_user_as_it_is(num_workers: int) -> None:
    cases = small_run.cases(augment=False)
    cases.policy = ViewPolicy((32, 32), "box")
    reader = cases.reader
    broken = replace(reader[1], instances=(replace(reader[1].instances[0], box=np.array([5.0, 5.0, np.nan, 9.0])),))
    reader.sample = lambda index: broken
    with pytest.raises(DataError, match="the box is not a box") as caught:
        list(each_once(cases, 4, num_workers))
    assert "Traceback" not in str(caught.value)


def test_nothing_to_learn_from_is_refused() -> None:
    reader = small_run.Dots(3)
    reader.sample = lambda index: Sample(f"empty/{index}", (32, 32), lambda: np.zeros((32, 32, 3), np.uint8), ())
    with pytest.raises(DataError, match="no sample of this data set has the labels that the heatmap encoding needs"):
        Cases(reader, small_run.encoding(), ViewPolicy((32, 32)))


def test_an_item_without_a_box_is_named() -> None:
    sample = Sample("a.png", (32, 32), lambda: np.zeros((32, 32, 3), np.uint8), (Instance(),))
    with pytest.raises(DataError, match="no box to crop to") as caught:
        subject_box(Item((sample,), instance=0))
    assert "a.png" in str(caught.value)


def test_a_point_like_box_is_grown() -> None:
    sample = Sample("a", (32, 32), lambda: np.zeros((32, 32, 3), np.uint8), (Instance(box=np.array([4.0, 4, 4, 9])),))
    assert subject_box(Item((sample,), instance=0)).tolist() == [3.5, 4.0, 4.5, 9.0]


def test_images_shown_at_other_sizes_are_in_other_batches() -> None:
    cases = small_run.cases(augment=False)
    cases.policy = ViewPolicy((64, 64), "fitted-frame")
    tall = replace(cases.reader[0], size=(64, 32))
    cases._items = [cases.item(0), cases.item(1), replace(cases.item(2), samples=(tall,)), cases.item(0)]
    sizes = [(len(batch), tuple(batch.image.shape[-2:])) for batch in each_once(cases, 16)]
    assert sizes == [(2, (64, 64)), (1, (128, 64)), (1, (64, 64))]
