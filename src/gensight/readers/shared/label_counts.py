"""Counts of keypoint labels: which keypoints nobody labelled, and which lie at the origin in too many images."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from gensight.samples import Array, Instance, Sample, Visibility

MOST_SAMPLES = 2000  # that `of_samples` looks at


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

    @classmethod
    def of_samples(cls, samples: Iterable[Sample]) -> "LabelCounts":
        """Of the first samples; no pixel is read."""
        counts = cls()
        for sample in islice(samples, MOST_SAMPLES):
            for instance in sample.instances or ():
                counts.add(instance)
        return counts

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
            yield "keypoints without any label: nothing is learned or scored of them", ", ".join(self.unlabelled)
        if self.at_origin.any():
            where = zip(self.names, self.at_origin.tolist(), strict=True)
            yield (
                f"{self.at_origin.sum()} of {self.located.sum()} labelled points lie at (0, 0) exactly, where some "
                "programs export what was not labelled: if so, give them the flag v = 0 (COCO) or leave them empty",
                ", ".join(f"{name} {number}" for name, number in where if number),
            )
