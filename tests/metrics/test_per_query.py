"""Models with one query at a time are scored on all their answers, and on their task alone."""

import numpy as np
import pytest

from gensight.metrics.coco.detection import VocBox
from gensight.metrics.per_query import PerQueryMetric
from gensight.metrics.segmentation import Segmentation
from gensight.samples import Instance, Item, Query, Sample
from tests.contracts.metric import only
from tests.metrics.subjects import as_prediction


def mask(rows: slice) -> np.ndarray:
    found = np.zeros((8, 8), dtype=bool)
    found[rows] = True
    return found


def sample(key: str) -> Sample:
    box = np.array([0.0, 0.0, 8.0, 4.0])
    return Sample(key, (8, 8), lambda: np.zeros((8, 8, 3), np.uint8),
                  (Instance("cat", box=box, mask=lambda: mask(slice(0, 4))),))  # fmt: skip


def query_item(of: Sample, name: str, task: str = "segment") -> Item:
    return Item((of,), query=Query(f"{task} the {name}", task, (name,)))


def miou(answers: dict[str, slice | None]) -> float:
    metric = PerQueryMetric(Segmentation(("background", "cat", "dog")), ("segment",))
    for key in ("a", "b"):
        one = sample(key)
        for name, rows in answers.items():
            item = query_item(one, name)
            found = () if rows is None else (Instance(name, mask=lambda rows=rows: mask(rows)),)
            metric.update(as_prediction(item, instances=found), item)
    return {result.protocol: result.value for result in metric.compute()}["seg/miou"]


def test_asking_absent_classes_counts():
    perfect = miou({"cat": slice(0, 4), "dog": None})
    assert perfect == 1.0
    false_dog = miou({"cat": slice(0, 4), "dog": slice(4, 8)})  # the dog lies on the background
    assert false_dog == pytest.approx((0 + 1 + 0) / 3)


def test_items_of_other_tasks_are_passed_over():
    metric = PerQueryMetric(VocBox("voc12", ("cat",)), ("detect",), merged=False)
    one = sample("a")
    item, other = query_item(one, "cat", "detect"), query_item(one, "cat")
    metric.update(as_prediction(other), other)
    metric.update(as_prediction(item, instances=(Instance("cat", box=np.array([0.0, 0.0, 8.0, 4.0])),)), item)
    assert only(metric).value == 1.0


def test_the_last_image_counts_and_halves_can_be_merged():
    def score(keys):
        metric = PerQueryMetric(Segmentation(("background", "cat"), ("miou",)), ("segment",))
        for key in keys:
            item = query_item(sample(key), "cat")
            metric.update(as_prediction(item, instances=(Instance("cat", mask=lambda: mask(slice(0, 4))),)), item)
        return metric

    first, second = score("a"), score("b")
    first.merge(second)
    assert only(first).num_images == 2
