"""Classes of an instruction: in one query, or one by one."""

import numpy as np
import pytest

from gensight.encodings.painted.base import NUM_CLASS_COLOURS
from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.prediction.instructions import instruction_items, most_at_once
from gensight.samples import Sample

NAMES = ("cat", "dog", "bird", "cow")
SAMPLE = Sample("a.png", (16, 16), lambda: np.zeros((16, 16, 3), np.uint8))


def encoding(several: float = 0.2, **tasks: object) -> Instructed:
    parts = {"segment": PaintedMask(), "detect": PaintedBoxes(max_boxes=2), "classify": PaintedClass(NAMES), **tasks}
    return Instructed(parts, NAMES, NAMES, several=several)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "several", "box_style", "most"),
    [("segment", 0.2, "filled", 3), ("segment", 0.0, "filled", 1), ("detect", 0.2, "outlines", 1),
     ("classify", 0.2, "filled", NUM_CLASS_COLOURS)],
)  # fmt: skip
def test_how_many_are_queried_at_once(task: str, several: float, box_style: str, most: int) -> None:
    of = encoding(several, detect=PaintedBoxes(style=box_style))  # type: ignore[arg-type]
    assert most_at_once(of, task) == most


def test_as_many_as_in_training_are_queried_in_the_users_words_and_more_in_the_usual_ones() -> None:
    (item,) = instruction_items(encoding(), SAMPLE, "segment", NAMES[:3], "segment the first three")
    assert item.query is not None
    assert (item.query.text, item.query.options) == ("segment the first three", NAMES[:3])
    queries = [
        item.query
        for item in instruction_items(encoding(), SAMPLE, "segment", NAMES, "segment everything")
        if item.query
    ]
    assert [query.text for query in queries] == [f"segment the {name}" for name in NAMES]
    assert [query.options for query in queries] == [(name,) for name in NAMES]
    assert len(instruction_items(encoding(), SAMPLE, "classify", NAMES, "what is this?")) == 1
