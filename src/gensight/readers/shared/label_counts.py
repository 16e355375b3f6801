"""Labels that are not plausible: keypoints that nobody labelled or that lie at the origin, boxes of no size."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from gensight.geometry import inside
from gensight.samples import Array, Instance, Sample, Visibility

MOST_SAMPLES = 2000  # that `label_warnings` looks at
NUM_PLACES_SHOWN = 3
UNLABELLED = "keypoints without any label"
OUTSIDE = "keypoint outside its image: heatmaps are trained on it as not there, and scores count it"


def named_places(places: Sequence[str]) -> str:
    """The first of them."""
    return "; ".join(places[:NUM_PLACES_SHOWN]) + (" ..." if len(places) > NUM_PLACES_SHOWN else "")


def instance_place(sample: Sample, instance: Instance) -> str:
    """Where an annotation stands: its image, its id, whose it is."""
    where = sample.key if instance.id is None else f"{sample.key}, annotation {instance.id}"
    return where if instance.identity is None else f"{where}, {instance.identity}"


def label_problems(instance: Instance, sample: Sample) -> Iterator[tuple[str, str]]:
    """(what, where) of each thing that is wrong with a subject's box and points."""
    where = instance_place(sample, instance)
    if instance.box is not None:
        x0, y0, x1, y1 = instance.box
        height, width = sample.size
        if x1 <= x0 or y1 <= y0:
            yield "box without an area", where
        if 0 < x1 - x0 < 1 or 0 < y1 - y0 < 1:
            yield "box of less than a pixel", where
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            yield "box outside its image: a crop to it shows nothing of its subject", where
        if not inside(instance.box.reshape(2, 2) + 1, (height + 2, width + 2)).all():
            yield "box that leaves the image by more than a pixel", where
    if (keypoints := instance.keypoints) is None:
        return
    outside = np.flatnonzero(keypoints.located & ~inside(keypoints.points, sample.size))
    if len(outside):
        yield OUTSIDE, f"{where}: {', '.join(keypoints.skeleton.keypoints[index] for index in outside)}"
    located = keypoints.points[keypoints.located]
    if len(located) > 1 and len(np.unique(located, axis=0)) == 1:
        yield "subject whose keypoints all lie on one point", where


def label_warnings(*parts: Iterable[Sample]) -> list[str]:
    """A line for each thing that is wrong with the labels of the first samples of each part; no pixel is read."""
    return look_at_labels(*parts)[1]


def look_at_labels(*parts: Iterable[Sample]) -> tuple["LabelCounts", list[str]]:
    """The labels of the first samples of each part, counted, and the lines of `label_warnings`."""
    counts, found = LabelCounts(), dict[str, list[str]]()
    for sample in chain.from_iterable(islice(part, MOST_SAMPLES) for part in parts):
        for instance in sample.instances or ():
            counts.add(instance)
            for what, where in label_problems(instance, sample):
                found.setdefault(what, []).append(where)
    lines = [f"{what} ({where})" if where else what for what, where in counts.warnings()]
    for what, places in found.items():
        lines.append(f"{f'{len(places)} x ' if len(places) > 1 else ''}{what} ({named_places(places)})")
    return counts, lines


class LabelCounts:
    """By keypoint: how often it is labelled, and how often at (0, 0), where some exporters put what is not labelled.

    Attributes:
        names: Of the keypoints; empty where there are none.
        labelled: int64 (K,), labels, also those that say that it is absent.
        located: int64 (K,), labelled points.
        at_origin: int64 (K,), those at (0, 0) exactly, in the file's convention.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.labelled: Array = np.zeros(0, dtype=np.int64)
        self.located: Array = np.zeros(0, dtype=np.int64)
        self.at_origin: Array = np.zeros(0, dtype=np.int64)

    def add(self, instance: Instance) -> None:
        keypoints = instance.keypoints
        if keypoints is None:
            return
        if not self.names:
            self.names = keypoints.skeleton.keypoints
            self.labelled, self.located, self.at_origin = np.zeros((3, len(self.names)), dtype=np.int64)
        if keypoints.skeleton.keypoints == self.names:
            origin = np.isin(keypoints.points, (0.0, 0.5)).all(1) & (keypoints.points[:, 0] == keypoints.points[:, 1])
            self.labelled += keypoints.visibility != Visibility.UNLABELLED
            self.located += keypoints.located
            self.at_origin += keypoints.located & origin

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """Keypoints without any label."""
        return tuple(name for name, number in zip(self.names, self.labelled, strict=True) if not number)

    def __add__(self, other: "LabelCounts") -> "LabelCounts":
        """Of both; of the first alone where the keypoints differ."""
        total = LabelCounts()
        if not self.names:
            return other
        total.names, same = self.names, self.names == other.names
        for key in ("labelled", "located", "at_origin"):
            setattr(total, key, getattr(self, key) + (getattr(other, key) if same else 0))
        return total

    def warnings(self) -> Iterator[tuple[str, str]]:
        """(what, which keypoints) of each thing that is wrong with the labels."""
        if self.names and not self.labelled.any():
            yield "no keypoint is labelled in any image", ""
        elif self.unlabelled:
            yield f"{UNLABELLED}: nothing is learned or scored of them", ", ".join(self.unlabelled)
        if self.at_origin.any():
            where = zip(self.names, self.at_origin.tolist(), strict=True)
            yield (
                f"{self.at_origin.sum()} of {self.located.sum()} labelled points lie at (0, 0) exactly, where some "
                "programs export what was not labelled: if so, give them the flag v = 0 (COCO) or leave them empty",
                ", ".join(f"{name} {number}" for name, number in where if number),
            )
