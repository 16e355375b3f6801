"""Labels of whole images."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from gensight.errors import DataError
from gensight.metrics.classification import LabelScores
from gensight.samples import Item, Sample
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import as_prediction, no_image

SIZE = (4, 4)
CLASSES = tuple("abcdefg")


def item(number: int, label: str | None) -> Item:
    return Item((Sample(f"image{number:02d}", SIZE, no_image, label=label),))


class _Labels(MetricContract):
    best, worst = 1.0, 0.0
    protocol = "top-1"

    def metric(self):
        return LabelScores((self.protocol,))

    def answers(self, kind):
        found = []
        for number in range(12):
            of = item(number, CLASSES[number % 3])
            right = {"perfect": True, "worst": False, "mixed": number % 4 > 0}[kind]
            others = [name for name in CLASSES if name != of.sample.label]
            if kind == "mixed" and right:
                scores = {of.sample.label: 0.8, **dict.fromkeys(others, 0.2 / 6)}
            else:
                scores = {of.sample.label: 1.0} if right else {**dict.fromkeys(others, 1.0), of.sample.label: 0.0}
            found.append((as_prediction(of, label_scores=scores), of))
        return found


class TestTop1(_Labels):
    pass


class TestTop5(_Labels):
    protocol = "top-5"


class TestBalanced(_Labels):
    protocol = "balanced-accuracy"


class TestCalibration(_Labels):
    best, worst = 0.0, 1.0
    protocol = "ece"


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(7), 40)
    labels = rng.integers(0, 7, 40)
    predictions = [
        (as_prediction(of := item(n, CLASSES[label]), label_scores=dict(zip(CLASSES, row.tolist(), strict=True))), of)
        for n, (row, label) in enumerate(zip(shares, labels, strict=True))
    ]
    flat = torch.tensor(shares), torch.tensor(labels)
    theirs = {
        "top-1": MulticlassAccuracy(7, average="micro"),
        "top-5": MulticlassAccuracy(7, average="micro", top_k=5),
        "balanced-accuracy": MulticlassAccuracy(7, average="macro"),
        "ece": MulticlassCalibrationError(7, n_bins=15),
    }
    ours = scores(LabelScores(), predictions)
    assert list(ours) == list(theirs)
    for name, result in ours.items():
        assert result.value == pytest.approx(float(theirs[name](*flat)), abs=1e-6)


def test_an_answer_that_says_nothing_scores_nothing():
    items = [item(number, CLASSES[number % 7]) for number in range(14)]
    flat = [(as_prediction(of, label_scores=dict.fromkeys(CLASSES, 1 / 7)), of) for of in items]
    assert score(LabelScores(("top-1",)), flat).value == 0
    assert score(LabelScores(("top-1",)), [(as_prediction(of, label_scores=None), of) for of in items]).value == 0


def test_refusals():
    with pytest.raises(DataError, match="needs images whose class is known"):
        LabelScores().update(as_prediction(item(0, None)), item(0, None))
