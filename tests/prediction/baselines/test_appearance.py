"""Colours of images and of subjects, compared."""

from functools import partial

import numpy as np
import pytest

from gensight.prediction.baselines.appearance import ColourHistogram
from gensight.samples import Array, Instance, Item, Relation, Sample

SIZE = (20, 40)
RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


def halves(left, right) -> Array:
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[:, :20], picture[:, 20:] = left, right
    return picture


def right_half() -> Array:
    return np.arange(40) >= np.full((20, 1), 20)


def triplet(*colours) -> Item:
    subject = Instance(box=np.array([20.0, 0, 40, 20]), mask=right_half)
    samples = [Sample(key, SIZE, partial(halves, *pair), (subject,)) for key, pair in zip("abc", colours, strict=True)]
    return Item(tuple(samples), 0, relation=Relation("triplet"))


def test_shares_of_colours_are_intersected() -> None:
    found = ColourHistogram()(triplet((RED, RED), (RED, BLUE), (GREEN, BLUE)))
    assert found.similarities == pytest.approx((0.5, 0.0))
    assert (found.sample_key, found.item_key) == ("a", "a+b+c|0")


@pytest.mark.parametrize("region", ["box", "mask"])
def test_only_the_subject_counts(region) -> None:
    found = ColourHistogram(region)(triplet((RED, GREEN), (BLUE, GREEN), (RED, RED)))
    assert found.similarities == pytest.approx((1.0, 0.0))
