"""Gaze over the frames of a video: maps are averaged over time before their peaks are read.

Averaging maps rather than points: of two targets that a person looks at in turn, one wins, and nothing lies between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch

from gensight.encodings.gaze import IN_FRAME, MAP, GazeMap, map_name
from gensight.readers.shared.label_maps import box_overlap
from gensight.samples import Array, Item, Prediction

MIN_OVERLAP = 0.3  # intersection over union of a head with itself a frame later


@dataclass(eq=False)
class _Track:
    head: Array
    values: Array
    in_frame: float
    num_seen: int = 1  # frames in the average
    age: int = 0  # frames since the head was last seen


class GazeSmoother:
    """An exponential average over the frames of each person, who is followed by the overlap of head boxes.

    The share of a new frame is 1 / `num_frames`; a person's first frames are averaged evenly until that share is
    reached. A person who is not seen for `num_frames` frames starts again.

    Args:
        encoding: Of the run; reads peaks.
        num_frames: How far back the average reaches; 1 changes nothing.
    """

    def __init__(self, encoding: GazeMap, num_frames: int) -> None:
        self.encoding, self.num_frames = encoding, num_frames
        self._tracks: list[_Track] = []

    def __call__(self, items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Prediction]:
        """Smoothed predictions of one or several whole frames, one per item, in order."""
        pairs = groupby(zip(items, predictions, strict=True), key=lambda pair: pair[0].sample.key)
        return [smoothed for _, people in pairs for smoothed in self._frame(list(people))]

    def _frame(self, people: list[tuple[Item, Prediction]]) -> list[Prediction]:
        known = self._tracks
        for track in known:
            track.age += 1
        taken: set[int] = set()
        found, tracks = [], []
        for item, prediction in people:
            head, values, inside, spread = _answer(item, prediction)
            number = _nearest(head, [track.head for track in known], taken)
            count = 1
            if number is not None:
                taken.add(number)
                before = known[number]
                count = min(before.num_seen + 1, self.num_frames)
                values = before.values + (values - before.values) / count
                inside = before.in_frame + (inside - before.in_frame) / count
            tracks.append(_Track(head, values, inside, count))
            outputs = {MAP: torch.from_numpy(values), IN_FRAME: torch.tensor([inside])}
            if spread is not None:
                outputs["spread"] = torch.tensor([spread / float(np.hypot(*item.sample.size))])
            found.append(self.encoding.decode(outputs, item, (prediction.maps[map_name(item)].view,)))
        kept = [one for number, one in enumerate(known) if number not in taken and one.age < self.num_frames]
        self._tracks = tracks + kept
        return found


def _answer(item: Item, prediction: Prediction) -> tuple[Array, Array, float, float | None]:
    """(head box, map, probability, spread) of one person."""
    subject, gaze = item.subject, prediction.instances[0].gaze
    assert subject is not None and subject.head_box is not None, "gaze items have a head"
    assert gaze is not None and gaze.in_frame_probability is not None, "gaze is what was predicted"
    return subject.head_box, prediction.maps[map_name(item)].values, gaze.in_frame_probability, gaze.spread


def _nearest(head: Array, others: Sequence[Array], taken: set[int]) -> int | None:
    """The free head that overlaps most, where that is enough."""
    overlaps = [0.0 if number in taken else box_overlap(head, other) for number, other in enumerate(others)]
    best = int(np.argmax(overlaps)) if overlaps else 0
    return best if overlaps and overlaps[best] >= MIN_OVERLAP else None
