"""Classes asked one by one, and their answers joined."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gensight.encodings.painted.answers import PaintedBoxes, PaintedClass, PaintedMask
from gensight.encodings.painted.base import NUM_CLASS_COLOURS
from gensight.encodings.painted.instructed import Instructed
from gensight.prediction.class_queries import joined, most_at_once, plan
from gensight.samples import Array, Sample, View

NAMES = ("cat", "dog", "bird", "cow")
SAMPLE = Sample("a.png", (16, 16), lambda: np.zeros((16, 16, 3), np.uint8))
VIEW = View((16, 16), (8, 8), np.diag([0.5, 0.5, 1.0]))


def encoding(several: float = 0.2, **tasks: object) -> Instructed:
    parts = {"segment": PaintedMask(), "detect": PaintedBoxes(max_boxes=2), "classify": PaintedClass(NAMES), **tasks}
    return Instructed(parts, NAMES, NAMES, several=several)  # type: ignore[arg-type]


def picture(rows: slice, grey: float = 1.0) -> Tensor:
    painted = torch.zeros(3, 8, 8)
    painted[:, rows] = grey
    return painted


@pytest.mark.parametrize(
    ("task", "several", "box_style", "most"),
    [("segment", 0.2, "filled", 3), ("segment", 0.0, "filled", 1), ("detect", 0.2, "outlines", 1),
     ("classify", 0.2, "filled", NUM_CLASS_COLOURS)],
)  # fmt: skip
def test_how_many_are_asked_at_once(task: str, several: float, box_style: str, most: int) -> None:
    of = encoding(several, detect=PaintedBoxes(style=box_style))  # type: ignore[arg-type]
    assert most_at_once(of, task) == most


def test_as_many_as_in_training_are_asked_in_the_users_words_and_more_in_the_usual_ones() -> None:
    (item,) = plan(encoding(), SAMPLE, "segment", NAMES[:3], "segment the first three")
    assert item.query is not None
    assert (item.query.text, item.query.options) == ("segment the first three", NAMES[:3])
    asked = [item.query for item in plan(encoding(), SAMPLE, "segment", NAMES, "segment everything") if item.query]
    assert [query.text for query in asked] == [f"segment the {name}" for name in NAMES]
    assert [query.options for query in asked] == [(name,) for name in NAMES]
    assert len(plan(encoding(), SAMPLE, "classify", NAMES, "what is this?")) == 1


def test_a_pixel_is_of_the_class_that_is_surest_of_it() -> None:
    of = encoding()
    items = plan(of, SAMPLE, "segment", NAMES, "segment everything")
    painted = [picture(slice(0, 4), 0.8), picture(slice(2, 8), 0.9), picture(slice(0, 8), 0.1), picture(slice(7, 8))]
    found = joined(of, zip(items, [VIEW] * 4, painted, strict=True), 4)
    masks: dict[str, Array] = {one.category: one.mask() for one in found.instances if one.mask is not None}
    assert set(masks) == {"cat", "dog", "cow"}
    rows = {name: np.flatnonzero(mask.all(axis=1)).tolist() for name, mask in masks.items()}
    assert rows == {"cat": [0, 1, 2, 3], "dog": list(range(4, 14)), "cow": [14, 15]}
    assert sum(mask.sum() for mask in masks.values()) == 256
    sure = {one.category: one.confidence for one in found.instances}
    assert sure["cat"] == pytest.approx(0.6)
    assert sure["cow"] == 1


def test_boxes_of_all_classes_are_kept() -> None:
    of = encoding()
    items = plan(of, SAMPLE, "detect", NAMES, "find all objects")
    painted = [picture(slice(0, 4)), picture(slice(2, 8)), picture(slice(0, 0)), picture(slice(0, 8))]
    found = joined(of, zip(items, [VIEW] * 4, painted, strict=True), 4)
    boxes = {one.category: one.box.tolist() for one in found.instances if one.box is not None}
    assert boxes == {"cat": [0, 0, 16, 8], "dog": [0, 4, 16, 16], "cow": [0, 0, 16, 16]}


def test_only_the_answers_of_one_image_are_taken() -> None:
    of = encoding()
    answers = iter([(plan(of, SAMPLE, "segment", ("cat",), "cat")[0], VIEW, picture(slice(0, 4)))])
    assert [one.category for one in joined(of, answers, 1).instances] == ["cat"]
