import time

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.metrics import bootstrap
from gensight.metrics.base import Result, counts_text
from gensight.metrics.bootstrap import (
    interval,
    interval_by_weights,
    make_result,
    paired_difference,
    resampling_units,
)


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def result_of(values, groups=None, protocol="test", keys=None, higher=True) -> Result:
    values = np.asarray(values, dtype=np.float64)
    keys = [f"{number:04d}" for number in range(len(values))] if keys is None else keys
    return make_result(
        protocol,
        statistics=np.stack([values, np.ones(len(values))], 1),
        reduce=mean,
        rows=[
            {"sample_key": key, "group": group}
            for key, group in zip(keys, keys if groups is None else groups, strict=True)
        ],
        higher_is_better=higher,
        unit="",
    )


def test_interval_of_a_binomial_is_the_known_one():
    successes = np.repeat([1.0, 0.0], [300, 700])
    low, high = result_of(successes).interval
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.0025)


def test_interval_repeats_with_its_seed_and_moves_with_another():
    statistics = np.random.default_rng(0).random((50, 2))
    groups = [str(number) for number in range(50)]
    first = interval(statistics, mean, groups, seed=1)
    assert interval(statistics, mean, groups, seed=1) == first
    assert interval(statistics, mean, groups, seed=2) != first


def test_both_ways_of_resampling_agree():
    values = np.random.default_rng(0).random(60)
    groups = [str(number // 3) for number in range(60)]
    sums = interval(np.stack([values, np.ones(60)], 1), mean, groups)
    assert interval_by_weights(lambda weights: (weights @ values) / weights.sum(1), groups) == pytest.approx(sums)


def test_groups_widen_the_interval_as_they_should():
    # Ten identical frames per video are worth one frame.
    videos = np.random.default_rng(1).random(40)
    frames, groups = np.repeat(videos, 10), [f"video{number // 10}" for number in range(400)]
    assert result_of(frames, groups).interval == pytest.approx(result_of(videos).interval, abs=0.01)
    assert result_of(frames, groups).notes == ("40 groups of images were resampled",)
    narrow = np.ptp(result_of(frames).interval)
    assert np.ptp(result_of(frames, groups).interval) == pytest.approx(np.sqrt(10) * narrow, rel=0.1)


def test_a_single_group_falls_back_to_images_and_says_so():
    values = np.random.default_rng(1).random(40)
    result = result_of(values, groups=["one"] * 40)
    assert result.interval == result_of(values).interval
    assert result.notes == (
        "all images are of one group, so images were resampled: the interval says nothing of other groups",
    )


def test_units():
    units, note = resampling_units(["b", "a", "b", "c", "d", "e"])
    assert (units.tolist(), note) == ([1, 0, 1, 2, 3, 4], "5 groups of images were resampled")
    assert resampling_units([])[0].tolist() == []


@pytest.mark.parametrize(
    ("groups", "note"),
    [
        (["a", "b", "c", "d"], "no intervals: 4 images are too few, fewer than 6"),
        (["a", "a", "a"], "no intervals: 3 images are too few, fewer than 6"),
        (["a", "a", "b", "b", "c", "d"], "no intervals: 4 groups of images are too few, fewer than 6"),
    ],
)
def test_few_images_or_groups_give_neither_interval_nor_verdict(
    groups: list[str], note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "FEWEST_UNITS", 6)
    result = result_of(range(len(groups)), groups)
    assert np.isnan(result.interval).all()
    assert result.notes == (note,)
    assert "[" not in str(result)
    difference = paired_difference(result, result_of([1] * len(groups), groups))
    assert np.isnan([*difference.interval, difference.share_better]).all()
    assert str(difference) == f"test {difference.value:+.2f}, n = {counts_text(len(groups), len(set(groups)))}"


def test_nothing_to_resample():
    assert np.isnan(interval(np.zeros((0, 2)), mean, [])).all()
    assert np.isnan(interval_by_weights(lambda weights: weights.sum(1), [])).all()
    empty = result_of([])
    assert np.isnan(paired_difference(empty, empty).interval).all()


def test_paired_differences_are_narrower_than_unpaired_ones():
    generator = np.random.default_rng(2)
    difficulty = generator.random(200)
    a, b = result_of(difficulty + 0.05 + generator.normal(0, 0.01, 200)), result_of(difficulty)
    difference = paired_difference(a, b)
    assert difference.value == pytest.approx(a.value - b.value)
    assert 0.04 < difference.interval[0] < 0.05 < difference.interval[1] < 0.06
    assert np.ptp(difference.interval) < 0.1 * np.ptp(a.interval)
    assert difference.share_better == 1.0
    assert paired_difference(b, a).share_better == 0.0


def test_lower_is_better_turns_the_share_around():
    a, b = (result_of(np.arange(5) + more, higher=False) for more in (0, 1))
    difference = paired_difference(a, b)
    assert (difference.value, difference.share_better) == (-1.0, 1.0)
    assert str(difference) == "test -1.00 [-1.00, -1.00], better in 100.0 % of resamples, n = 5"


def test_images_are_matched_by_key_not_by_place():
    a = result_of([1, 2, 3, 4, 5], keys=["v", "w", "x", "y", "z"])
    b = result_of([5, 4, 3, 2, 1], keys=["z", "y", "x", "w", "v"])
    assert paired_difference(a, b).interval == (0.0, 0.0)


def test_other_images_or_protocols_are_refused():
    with pytest.raises(DataError) as error:
        paired_difference(result_of([1, 2], keys=["x", "y"]), result_of([1, 2], keys=["x", "w"]))
    assert str(error.value) == (
        "the two results of `test` were not scored on the same images: 1 only in the first, 1 only in the second\n"
        "  where: y, w\n"
        "  next:  score both on the same split"
    )
    with pytest.raises(DataError, match="`test` cannot be compared with `other`: they are different protocols"):
        paired_difference(result_of([1]), result_of([1], protocol="other"))


def test_five_thousand_images_are_resampled_fast():
    statistics = np.random.default_rng(0).random((5000, 36))
    groups = [str(number) for number in range(5000)]
    start = time.process_time()
    interval(statistics, mean, groups)
    assert time.process_time() - start < 3  # about 0.8 s on an idle core
