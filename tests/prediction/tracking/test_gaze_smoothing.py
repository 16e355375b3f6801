"""Gaze smoothed over frames: maps are averaged for each person, who is followed by the head's box."""

import numpy as np
import pytest
import torch

from gensight.encodings.gaze import IN_FRAME, MAP, GazeMap
from gensight.prediction.tracking.gaze_smoothing import GazeSmoother
from gensight.samples import Instance, Item, Sample
from gensight.transforms.views import stretched_frame

ENCODING = GazeMap((16, 16), 1.0)
SIZE = (64, 64)


def gaze_items(frame, heads):
    people = tuple(Instance("person", head_box=np.array(head, float)) for head in heads)
    sample = Sample(f"{frame}", SIZE, lambda: np.zeros((*SIZE, 3), np.uint8), instances=people)
    return [Item((sample, sample), instance=number) for number in range(len(people))]


def gaze_prediction(item, cell, inside=0.9):
    values = torch.zeros(1, 16, 16)
    values[0, cell[1], cell[0]] = 1
    outputs = {MAP: values, IN_FRAME: torch.tensor([inside])}
    return ENCODING.decode(outputs, item, (stretched_frame(SIZE, (16, 16)),))


def points(predictions):
    return [tuple(float(v) for v in one.instances[0].gaze.points[0]) for one in predictions]


def test_one_stray_frame_changes_nothing_and_a_lasting_look_does():
    smoother, seen = GazeSmoother(ENCODING, 3), []
    for frame, cell in enumerate([(2, 2), (2, 2), (12, 9), (2, 2), (12, 9), (12, 9), (12, 9)]):
        items = gaze_items(frame, [(10, 10, 20, 20)])
        seen += points(smoother(items, [gaze_prediction(items[0], cell)]))
    here, there = (10.0, 10.0), (50.0, 38.0)
    assert seen[:4] == [here] * 4
    assert seen[-1] == there


def test_people_are_followed_when_their_order_changes():
    smoother = GazeSmoother(ENCODING, 10)
    left, right = (5, 5, 15, 15), (40, 5, 50, 15)
    items = gaze_items(0, [left, right])
    smoother(items, [gaze_prediction(items[0], (1, 1)), gaze_prediction(items[1], (9, 9))])
    items = gaze_items(1, [right, left])
    swapped = smoother(items, [gaze_prediction(items[0], (9, 9), 0.5), gaze_prediction(items[1], (1, 1))])
    assert points(swapped) == [(38.0, 38.0), (6.0, 6.0)]
    assert swapped[0].instances[0].gaze.in_frame_probability == pytest.approx(0.7)


def test_somebody_new_and_somebody_back_after_long_begin_anew():
    smoother, head = GazeSmoother(ENCODING, 2), (10, 10, 20, 20)
    first = gaze_items(0, [head])
    smoother(first, [gaze_prediction(first[0], (1, 1))])
    for frame in (1, 2):
        smoother(other := gaze_items(frame, [(40, 40, 50, 50)]), [gaze_prediction(other[0], (3, 3))])
    back = gaze_items(3, [head])
    [found] = smoother(back, [gaze_prediction(back[0], (8, 8), 0.2)])
    assert points([found]) == [(34.0, 34.0)]
    assert found.instances[0].gaze.in_frame_probability == pytest.approx(0.2)


def test_one_frame_is_no_average():
    smoother = GazeSmoother(ENCODING, 1)
    for frame, cell in enumerate([(1, 1), (8, 3)]):
        items = gaze_items(frame, [(10, 10, 20, 20)])
        plain = gaze_prediction(items[0], cell)
        [found] = smoother(items, [plain])
        assert points([found]) == points([plain])
