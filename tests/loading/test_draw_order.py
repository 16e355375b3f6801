"""The batch of a step depends on the seed and the step alone."""

from itertools import islice

import pytest

from gensight.loading.draw_order import DrawOrder


def test_an_epoch_draws_each_item_once() -> None:
    order = DrawOrder(num_items=10, batch_size=5, seed=3)
    first, second = ([d.index for step in steps for d in order.batch(step)] for steps in ((0, 1), (2, 3)))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("step", [0, 1, 7, 100])
def test_a_resumed_order_continues_where_it_stopped(step: int) -> None:
    whole = DrawOrder(num_items=7, batch_size=3, seed=5)
    before = list(islice(whole.batches(0), step + 2))
    resumed = DrawOrder(num_items=7, batch_size=3, seed=5)
    assert next(resumed.batches(step)) == before[step]


def test_processes_share_the_global_batch() -> None:
    order = DrawOrder(num_items=9, batch_size=4, seed=0)
    parts = [order.batch(3, rank, 2) for rank in range(2)]
    assert sorted(d.key for part in parts for d in part) == sorted(d.key for d in order.batch(3))
    assert all(len(part) == 2 for part in parts)


def test_keys_never_repeat_and_depend_on_the_seed() -> None:
    keys = [d.key for step in range(50) for d in DrawOrder(7, 4, seed=0).batch(step)]
    others = [d.key for step in range(50) for d in DrawOrder(7, 4, seed=1).batch(step)]
    assert len(set(keys + others)) == 400


def test_fixed_views_take_turns() -> None:
    order = DrawOrder(num_items=4, batch_size=4, seed=0, num_views=3)
    assert [{d.view for d in order.batch(step)} for step in range(4)] == [{0}, {1}, {2}, {0}]
