"""One confusion over the data set; masks one by one."""

from functools import partial

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from gensight.errors import DataError
from gensight.metrics.segmentation import (
    MaskScores,
    Segmentation,
    boundary_f,
    dice,
    intersection_over_union,
)
from gensight.readers.shared.class_maps import ClassMap
from gensight.samples import Instance, Item, Prediction, Query, Sample
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import given, no_image

NAMES = ("background", "cat", "dog")
SIZE = (12, 16)


def sample(numbers: np.ndarray, key: str = "a", names=NAMES, ignored=(255,)) -> Sample:
    source = partial(given, numbers)
    return Sample(key, numbers.shape, no_image, group=key, extras={"segmentation": ClassMap(source, names, ignored)})


def as_prediction(item: Item, numbers: np.ndarray, names=NAMES) -> Prediction:
    """A prediction of these classes, an instance each."""
    instances = tuple(
        Instance(category=name, mask=partial(given, numbers == number))
        for number, name in enumerate(names)
        if number and (numbers == number).any()
    )
    return Prediction(item.sample.key, item.sample.size, instances, item_key="", group=item.sample.group)


def numbers(seed: int, num: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, num, SIZE)


def answers(kind: str):
    found = []
    for index in range(6):
        truth = numbers(index)
        item = Item((sample(truth, f"image{index}"),))
        other = {"perfect": truth, "worst": (truth + 1) % 3, "mixed": truth.copy()}[kind]
        if kind == "mixed":
            other[: 2 + index % 3] = (other[: 2 + index % 3] + 1) % 3
        found.append((as_prediction(item, other), item))
    return found


class _Counted(MetricContract):
    best, worst = 1.0, 0.0
    measure = "miou"

    def metric(self):
        return Segmentation(NAMES, (self.measure,))

    def answers(self, kind):
        return answers(kind)


class TestMiou(_Counted):
    def test_by_hand(self):
        truth = np.zeros((2, 4), np.uint8)
        truth[:, 2:] = 1
        truth[0, 0] = 255
        answer = np.zeros((2, 4), np.uint8)
        answer[:, 1:] = 1  # cat: 4 right of 6 said and 4 true; background: 1 right of 1 said and 3 true
        item = Item((sample(truth),))
        result = score(self.metric(), [(as_prediction(item, answer), item)])
        assert result.value == pytest.approx((4 / 6 + 1 / 3) / 2)
        assert result.parts == pytest.approx({"background": 1 / 3, "cat": 4 / 6, "dog": float("nan")}, nan_ok=True)


class TestPixelAccuracy(_Counted):
    measure = "pixel-accuracy"


class TestClassAccuracy(_Counted):
    measure = "class-accuracy"


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    truths, predictions = rng.integers(0, 3, (2, 5, *SIZE))
    items = [Item((sample(truth, f"image{number}"),)) for number, truth in enumerate(truths)]
    pairs = [(as_prediction(item, answer), item) for item, answer in zip(items, predictions, strict=True)]
    ours = {name: result.value for name, result in scores(Segmentation(NAMES), pairs).items()}
    flat = torch.tensor(predictions).flatten(), torch.tensor(truths).flatten()
    assert ours["seg/miou"] == pytest.approx(float(MulticlassJaccardIndex(3)(*flat)), abs=1e-6)
    assert ours["seg/class-accuracy"] == pytest.approx(float(MulticlassAccuracy(3, average="macro")(*flat)), abs=1e-6)
    assert ours["seg/pixel-accuracy"] == pytest.approx(float(MulticlassAccuracy(3, average="micro")(*flat)), abs=1e-6)


def test_trap_asking_absent_classes_counts():
    """An answer to a class that the image doesn't show lowers the score, unless the oracle protocol is named."""
    truth = np.ones(SIZE, np.uint8)
    dogs = np.full(SIZE, 2, np.uint8)
    items = [Item((sample(truth, "cats"),)), Item((sample(dogs, "dogs"),))]
    right = [as_prediction(item, answer) for item, answer in zip(items, (truth, dogs), strict=True)]
    ghost = Instance(category="dog", mask=partial(given, np.pad(np.ones((6, 16), bool), ((0, 6), (0, 0)))))
    haunted = [Prediction("cats", SIZE, (*right[0].instances, ghost), group="cats"), right[1]]

    def miou(protocol, predictions):
        return score(Segmentation(NAMES, ("miou",), protocol), zip(predictions, items, strict=True)).value

    assert miou("seg", right) == miou("seg-oracle-classes", right) == 1
    assert miou("seg", haunted) < 0.8
    assert miou("seg-oracle-classes", haunted) == 1


def test_ignored_pixels_do_not_count_and_pixels_without_an_answer_are_wrong():
    truth = numbers(1)
    truth[:, :8] = 255
    names = ("wall", "cat", "dog")  # no background: what nobody claims is wrong
    item = Item((sample(truth, names=names),))
    other = truth.copy()
    other[:, :8] = 1
    metric = Segmentation(names, ("pixel-accuracy",))
    wall = (truth[:, 8:] == 0).mean()
    assert score(metric, [(as_prediction(item, other, names), item)]).value == pytest.approx(1 - wall)


def test_a_surer_mask_lies_on_top():
    item = Item((sample(np.ones(SIZE, np.uint8)),))
    every = partial(given, np.ones(SIZE, bool))
    for confidence, value in ((0.4, 1.0), (0.6, 0.0)):
        instances = (Instance("cat", mask=every, confidence=0.5), Instance("dog", mask=every, confidence=confidence))
        metric = Segmentation(NAMES, ("pixel-accuracy",))
        assert score(metric, [(Prediction("a", SIZE, instances), item)]).value == value


def test_refusals():
    item = Item((sample(numbers(0)),))
    metric = Segmentation(NAMES, ("miou",))
    metric.update(as_prediction(item, numbers(0)), item)
    with pytest.raises(DataError, match="two predictions of one image"):
        metric.update(as_prediction(item, numbers(0)), item)
    with pytest.raises(DataError, match="whose pixels have classes"):
        Segmentation(NAMES, ("miou",)).update(Prediction("b", SIZE), Item((Sample("b", SIZE, no_image),)))


class _Masks(MetricContract):
    best, worst = 1.0, 0.0
    measure = "iou"

    def metric(self):
        return MaskScores((self.measure,))

    def answers(self, kind):
        found = []
        for index in range(6):
            truth = np.zeros((24, 32), np.uint8)
            truth[2:9, 3 : 12 + index] = 1
            item = Item((sample(truth, f"image{index // 1}"),), query=Query("segment the cat", "segment", ("cat",)))
            other = {"perfect": truth, "worst": np.roll(truth, 12, 0), "mixed": np.roll(truth, 1 + 2 * index, 1)}[kind]
            answer = as_prediction(item, other)
            found.append((answer, item))
        return found


class TestIou(_Masks):
    pass


class TestDice(_Masks):
    measure = "dice"


class TestBoundaryF(_Masks):
    measure = "boundary-f"


def test_masks_by_hand():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    assert intersection_over_union(a, b) == pytest.approx(1 / 3)
    assert dice(a, b) == pytest.approx(1 / 2)
    assert intersection_over_union(a & ~a, a & ~a) == dice(a & ~a, a & ~a) == boundary_f(a & ~a, a & ~a) == 1
    assert intersection_over_union(a, a & ~a) == dice(a, a & ~a) == boundary_f(a, a & ~a) == 0
    wide = np.zeros((100, 100), bool)
    wide[20:80, 20:80] = True
    assert boundary_f(wide, np.roll(wide, 2, 1)) == 1  # 0.8 % of the diagonal: 2 px
    assert boundary_f(wide, np.roll(wide, 4, 1)) == pytest.approx(0.53, abs=0.04)


def test_an_absent_class_that_is_left_black_is_right():
    item = Item((sample(np.zeros(SIZE, np.uint8)),), query=Query("segment the dog", "segment", ("dog",)))
    assert score(MaskScores(("iou",)), [(Prediction("a", SIZE), item)]).value == 1
    ghost = Instance("dog", mask=partial(given, np.ones(SIZE, bool)))
    assert score(MaskScores(("iou",)), [(Prediction("a", SIZE, (ghost,)), item)]).value == 0
