"""The threshold of painted masks: the one of the largest overlap."""

import numpy as np
import pytest

from gensight.prediction.scoring.mask_threshold import largest_overlap
from gensight.samples import Array


def counted(brightness: Array, inside: Array) -> Array:
    places = np.digitize(brightness, np.arange(1, 20) / 20)
    return np.stack([np.bincount(places[inside == side], minlength=20) for side in (0, 1)])


def test_it_is_found_by_trying_all() -> None:
    random = np.random.default_rng(0)
    inside = random.random(20_000) < 0.2
    brightness = np.clip(np.where(inside, 0.35, 0.15) + 0.1 * random.standard_normal(20_000), 0, 0.999)

    def overlap(threshold: float) -> float:
        found = brightness >= threshold
        return float((found & inside).sum() / (found | inside).sum())

    best = max(np.arange(1, 20) / 20, key=overlap)
    assert largest_overlap([counted(brightness, inside)]) == pytest.approx(best)
    assert best < 0.5


def test_probabilities_are_cut_at_half_of_the_best_overlap_by_f1() -> None:
    """Lipton et al.: of calibrated probabilities the best cut for F1 is half of the F1 that it reaches."""
    random = np.random.default_rng(1)
    probability = random.beta(0.5, 2.5, 200_000)
    inside = random.random(200_000) < probability
    cut = largest_overlap([counted(probability, inside)])
    found = probability >= cut
    f1 = 2 * (found & inside).sum() / (found.sum() + inside.sum())
    assert cut == pytest.approx(f1 / 2, abs=0.05)


def test_of_equal_overlaps_the_nearest_to_even_is_taken_and_classes_count_alike() -> None:
    sure = counted(np.array([0.0, 0.0, 0.99]), np.array([False, False, True]))
    assert largest_overlap([sure]) == 0.5
    assert largest_overlap([np.zeros((2, 20))]) == 0.5
    assert largest_overlap([]) == 0.5
    small = counted(np.array([0.1, 0.3]), np.array([False, True]))
    large = counted(np.repeat([0.35, 0.9], 1000), np.repeat([False, True], 1000))
    assert largest_overlap([large]) == 0.5
    assert largest_overlap([small, large]) in (0.15, 0.2, 0.25, 0.3, 0.4)
