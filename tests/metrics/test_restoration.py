"""Restored images: perfect, worst, by hand, and what is left out."""

from functools import partial

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.metrics.restoration import HIGHEST, Restoration
from gensight.readers.images.image_pairs import RESTORED
from gensight.samples import Item, Prediction, Query, Sample, ScoreMap, View
from tests.contracts.metric import MetricContract, scores
from tests.metrics.subjects import as_prediction, given, no_image

SIZE = (24, 32)
VIEW = View(SIZE, SIZE, np.eye(3))


def dark(key: str = "a", size: tuple[int, int] = SIZE) -> Item:
    """An item of a picture that should become grey."""
    bright = {"low-light": partial(given, np.full((*size, 3), 102, np.uint8))}
    sample = Sample(key, size, no_image, group=key, extras={RESTORED: bright})
    return Item((sample,), query=Query("brighten it", "low-light"))


def answer(of: Item, error: float, view: View = VIEW) -> Prediction:
    values = np.full((3, *view.model_size), 0.4 + error, np.float32)
    return as_prediction(of, maps={"restored": ScoreMap(values, view, "picture")})


class TestPsnr(MetricContract):
    best, worst = HIGHEST, 0.0

    def metric(self):
        return Restoration(["psnr"])

    def answers(self, kind):
        items = [dark(f"image{number}") for number in range(6)]
        if kind == "worst":
            return [(as_prediction(of), of) for of in items]
        errors = {"perfect": [0.0] * 6, "mixed": [0.1, 0.2, 0.3, 0.05, 0.4, 0.5]}[kind]
        return [(answer(of, error), of) for of, error in zip(items, errors, strict=True)]


def test_by_hand():
    found = scores(Restoration(), [(answer(dark("a"), 0.1), dark("a")), (answer(dark("b"), 0.01), dark("b"))])
    assert found["psnr"].value == pytest.approx((20 + 40) / 2, abs=1e-3)
    means = [2 * 0.4 * (0.4 + error) + 1e-4 for error in (0.1, 0.01)]
    squares = [0.16 + (0.4 + error) ** 2 + 1e-4 for error in (0.1, 0.01)]
    expected = sum(top / bottom for top, bottom in zip(means, squares, strict=True)) / 2  # of pictures without contrast
    assert found["ssim"].value == pytest.approx(expected, abs=1e-4)


def test_what_has_no_pair_is_refused_and_what_is_tiny_is_noted():
    lone = Item((Sample("a", SIZE, no_image),), query=Query("brighten it", "low-light"))
    with pytest.raises(DataError, match="needs pairs of images"):
        Restoration().update(answer(lone, 0.0), lone)
    small = dark("b", (6, 6))
    found = scores(Restoration(), [(answer(small, 0.0, View((6, 6), (6, 6), np.eye(3))), small)])
    assert "less than 11 px" in found["psnr"].notes[0]
