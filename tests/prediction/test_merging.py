"""The answers to the items of one image, merged."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.prediction.instructions import instruction_items
from gensight.prediction.merging import ItemOutputs, merge_outputs
from gensight.samples import Array, View
from tests.prediction.test_instructions import NAMES, SAMPLE, encoding

VIEW = View((16, 16), (8, 8), np.diag([0.5, 0.5, 1.0]))


def picture(rows: slice, grey: float = 1.0) -> Tensor:
    painted = torch.zeros(3, 8, 8)
    painted[:, rows] = grey
    return painted


def answers(of: Instructed, task: str, painted: list[Tensor]) -> Iterator[ItemOutputs]:
    items = instruction_items(of, SAMPLE, task, NAMES[: len(painted)], "everything")
    assert len(items) == len(painted)
    return (ItemOutputs(item, (VIEW,), {OUTPUT: one}) for item, one in zip(items, painted, strict=True))


def test_a_pixel_is_of_the_class_that_is_surest_of_it() -> None:
    of = encoding()
    painted = [picture(slice(0, 4), 0.8), picture(slice(2, 8), 0.9), picture(slice(0, 8), 0.1), picture(slice(7, 8))]
    found = merge_outputs(of, answers(of, "segment", painted), 4)
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
    painted = [picture(slice(0, 4)), picture(slice(2, 8)), picture(slice(0, 0)), picture(slice(0, 8))]
    found = merge_outputs(of, answers(of, "detect", painted), 4)
    boxes = {one.category: one.box.tolist() for one in found.instances if one.box is not None}
    assert boxes == {"cat": [0, 0, 16, 8], "dog": [0, 4, 16, 16], "cow": [0, 0, 16, 16]}


def test_kept_maps_are_those_of_all_items() -> None:
    of = encoding()
    painted = [picture(slice(number, number + 2)) for number in range(4)]
    found = merge_outputs(of, answers(of, "segment", painted), 4, keep_maps=True)
    assert list(found.maps) == [OUTPUT, f"{OUTPUT}-1", f"{OUTPUT}-2", f"{OUTPUT}-3"]
    for one, score in zip(painted, found.maps.values(), strict=True):
        np.testing.assert_array_equal(score.values, one)
    assert not merge_outputs(of, answers(of, "segment", painted), 4).maps
