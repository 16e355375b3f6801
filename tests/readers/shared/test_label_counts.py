"""Labels that mislead: points at the origin, keypoints that nobody labelled."""

import numpy as np

from gensight.readers.shared.label_counts import LabelCounts
from gensight.samples import Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton

SKELETON = Skeleton("three", ("a", "b", "c"))


def sample(*points: tuple[float, float] | None) -> Sample:
    flags = np.array([Visibility.UNLABELLED if point is None else Visibility.VISIBLE for point in points], np.int8)
    places = np.array([(np.nan, np.nan) if point is None else point for point in points])
    keypoints = Keypoints(SKELETON, places, flags, np.ones(3, np.float32))
    return Sample("x", (4, 4), lambda: np.zeros((4, 4, 3), np.uint8), (Instance(keypoints=keypoints), Instance()))


def test_points_at_the_origin_and_unlabelled_keypoints_are_counted_over_all_parts() -> None:
    first = LabelCounts.of_samples([sample((0.5, 0.5), (0.5, 2.5), None), sample((0.5, 0.5), None, None)])
    second = LabelCounts.of_samples([sample((1.5, 2.0), (3.0, 3.0), None)])
    empty = LabelCounts()
    both = empty + first + second + empty
    found = list(both.warnings())
    assert [where for _, where in found] == ["c", "a 2"]
    assert found[1][0].startswith("2 of 5 labelled points lie at (0, 0) exactly")


def test_good_labels_give_no_warning() -> None:
    assert not list(LabelCounts.of_samples([sample((1.5, 2), (3, 3), (2, 2))]).warnings())
    assert not list(LabelCounts().warnings())
