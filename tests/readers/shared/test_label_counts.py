"""Labels that mislead: points at the origin, keypoints that nobody labelled."""

from dataclasses import replace

import numpy as np

from gensight.readers.shared.label_counts import OUTSIDE, LabelCounts, label_warnings
from gensight.samples import Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton

SKELETON = Skeleton("three", ("a", "b", "c"))


def sample(*points: tuple[float, float] | None) -> Sample:
    flags = np.array([Visibility.UNLABELLED if point is None else Visibility.VISIBLE for point in points], np.int8)
    places = np.array([(np.nan, np.nan) if point is None else point for point in points])
    keypoints = Keypoints(SKELETON, places, flags, np.ones(3, np.float32))
    return Sample("x", (4, 4), lambda: np.zeros((4, 4, 3), np.uint8), (Instance(keypoints=keypoints), Instance()))


def counts(*samples: Sample) -> LabelCounts:
    found = LabelCounts()
    for one in samples:
        for instance in one.instances or ():
            found.add(instance)
    return found


def test_points_at_the_origin_and_unlabelled_keypoints_are_counted_over_all_parts() -> None:
    first = counts(sample((0.5, 0.5), (0.5, 2.5), None), sample((0.5, 0.5), None, None))
    second = counts(sample((1.5, 2.0), (3.0, 3.0), None))
    empty = LabelCounts()
    both = empty + first + second + empty
    found = list(both.warnings())
    assert [where for _, where in found] == ["c", "a 2"]
    assert found[1][0].startswith("2 of 5 labelled points lie at (0, 0) exactly")


def test_good_labels_give_no_warning() -> None:
    assert label_warnings([sample((1.5, 2), (3, 3), (2, 2))]) == []
    assert not list(LabelCounts().warnings())


def test_subjects_that_show_nothing_are_named_over_all_parts() -> None:
    one = sample((1.5, 2), (30, 3), (2, 2))
    boxes = (None, (1, 1, 1, 3), (2, 2, 2.5, 3), (5, 5, 9, 9), (0, 0, 4, 4.5))
    parts = [
        [replace(one, key=str(number), instances=(Instance(box=None if box is None else np.array(box, float)),))]
        for number, box in enumerate(boxes)
    ]
    assert label_warnings(*parts, *parts[1:2], [one]) == [
        "2 x box without an area (1; 1)",
        "box of less than a pixel (2)",
        "box outside its image: a crop to it shows nothing of its subject (3)",
        "box that leaves the image by more than a pixel (3)",
        f"{OUTSIDE} (x: b)",
    ]
