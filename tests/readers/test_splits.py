"""Splits: every sample lands in one part, groups stay whole, empty parts are refused."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.images.folder import FolderReader
from gensight.readers.splits import (
    Subset,
    evenly_spaced,
    split_by_blocks,
    split_by_group,
    split_by_shares,
    validation_from_train,
)
from tests.contracts.reader import ReaderContract


@given(num=st.integers(20, 200), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_shares_cover_everything_once(num, seed):
    for parts in (split_by_shares(num, (0.7, 0.1, 0.2), seed), split_by_shares(num, (0.7, 0.1, 0.2), None)):
        assert sorted(chain(*parts)) == list(range(num))
        assert all(part == sorted(part) for part in parts)
        assert abs(len(parts[0]) - 0.7 * num) <= 1


def test_the_seed_decides():
    assert split_by_shares(50, (0.5, 0.5), 3) == split_by_shares(50, (0.5, 0.5), 3)
    assert split_by_shares(50, (0.5, 0.5), 3) != split_by_shares(50, (0.5, 0.5), 4)


def test_order_is_consecutive_and_leaves_the_rest_over():
    assert split_by_shares(10, (0.5, 0.0, 0.3), None) == ([0, 1, 2, 3, 4], [], [5, 6, 7])


def test_bad_shares_are_refused():
    with pytest.raises(DataError, match=r"at most 1 in sum, got \[0.8, 0.3\]"):
        split_by_shares(10, (0.8, 0.3), None)
    with pytest.raises(DataError, match=r"empty split: a share of 0.01 of 10 samples is less than one sample"):
        split_by_shares(10, (0.9, 0.01), 0)


def test_blocks_are_contiguous_and_cover_everything():
    tests = [split_by_blocks(116, 5, block)[1] for block in range(5)]
    assert list(chain(*tests)) == list(range(116))
    assert {len(test) for test in tests} == {23, 24}
    train, test = split_by_blocks(116, 5, 2)
    assert sorted(train + test) == list(range(116))


def test_wrong_blocks_are_refused():
    with pytest.raises(DataError, match="there is no block 5") as caught:
        split_by_blocks(116, 5, 5)
    assert caught.value.choices == ["0", "1", "2", "3", "4"]
    with pytest.raises(DataError, match="empty split: 3 samples in 5 blocks"):
        split_by_blocks(3, 5, 0)


def test_groups_stay_whole():
    groups = ["a", "b", "a", "c", "b"]
    assert split_by_group(groups, ["b"]) == ([0, 2, 3], [1, 4])
    with pytest.raises(DataError, match="there is no group `bb`") as caught:
        split_by_group(groups, ["bb"])
    assert caught.value.choices == ["a", "b", "c"]
    assert caught.value.hint == "did you mean `b`?"
    with pytest.raises(DataError, match="empty split"):
        split_by_group(groups, ["a", "b", "c"])


def test_validation_comes_from_the_training_part_only():
    train = list(range(10, 30))
    assert validation_from_train(train, 0.25) == (list(range(10, 25)), list(range(25, 30)))
    rest, validation = validation_from_train(train, 0.25, seed=1)
    assert len(validation) == 5
    assert sorted(rest + validation) == train
    assert validation_from_train(train, 0.0) == (train, [])
    with pytest.raises(DataError, match=r"empty split: a validation share of 0\.01 of 20"):
        validation_from_train(train, 0.01)


@given(num=st.integers(1, 100), count=st.integers(1, 100))
@settings(max_examples=50, deadline=None)
def test_evenly_spaced_takes_distinct_samples_from_end_to_end(num, count):
    indices = list(range(100, 100 + num))
    if count > num:
        with pytest.raises(DataError, match=f"cannot take {count} of {num} samples"):
            evenly_spaced(indices, count)
        return
    chosen = evenly_spaced(indices, count)
    assert len(set(chosen)) == count
    assert chosen[0] == 100
    assert count == 1 or chosen[-1] == 99 + num
    gaps = np.diff(chosen)
    assert count < 2 or gaps.max() - gaps.min() <= 1


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        write_image(tmp_path / f"{number}.png", np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) + number)
    return FolderReader(tmp_path)


class TestSubset(ReaderContract):
    @pytest.fixture
    def reader(self, folder):
        return Subset(folder, [4, 1, 2])


def test_a_subset_keeps_its_order_and_shows_only_its_samples(folder):
    subset = Subset(folder, [4, 1])
    assert [sample.key for sample in subset] == ["4.png", "1.png"]
    assert subset.groups == ["4.png", "1.png"]
    assert subset.name == "folder"


def test_an_empty_subset_is_refused(folder):
    with pytest.raises(DataError, match="empty split"):
        Subset(folder, [])
    with pytest.raises(IndexError):
        Subset(folder, [5])
