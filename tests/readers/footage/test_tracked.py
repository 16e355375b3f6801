"""A subject tracked in footage of a static camera: its position, box size and background."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.footage.recordings import FootageReader
from gensight.readers.footage.tracked import TrackedReader, Tracker
from gensight.samples import Sample

SIZE = (60, 90)


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(120, 200, (*SIZE, 3), np.uint8)


def frame(x: int, y: int) -> np.ndarray:
    """A dark 12 x 12 block whose centre lies at (x, y)."""
    image = scene()
    image[y - 6 : y + 6, x - 6 : x + 6] = 10
    return image


PLACES = [(10 + 7 * n, 12 + (11 * n) % 36) for n in range(10)]


def samples() -> list[Sample]:
    return [Sample(f"{n}.png", SIZE, partial(frame, *place), group="day-1") for n, place in enumerate(PLACES)]


def test_boxes_are_centred_on_the_subject_and_of_one_size() -> None:
    tracker = Tracker.fit(samples())
    boxes = np.stack([tracker.box(sample) for sample in samples()])
    np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:]) / 2, PLACES, atol=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides, sides[0, 0])
    assert 12 <= sides[0, 0] <= 18


def test_the_background_excludes_the_subject() -> None:
    tracker = Tracker.fit(samples())
    found = tracker.background(samples()[0])()
    assert found.shape == (*SIZE, 3)
    np.testing.assert_array_equal(found, scene())


def test_an_empty_frame_is_shown_whole() -> None:
    empty = Sample("empty.png", SIZE, scene, group="day-1")
    np.testing.assert_array_equal(Tracker.fit(samples()).box(empty), [0, 0, 90, 60])


def test_too_few_frames_and_strange_recordings_are_refused() -> None:
    with pytest.raises(DataError, match="4 frames are too few to estimate the background"):
        Tracker.fit(samples()[:4])
    with pytest.raises(DataError, match="no background is known of this recording"):
        Tracker.fit(samples()).box(Sample("a.png", SIZE, scene, group="day-2"))


def test_samples_without_a_subject_get_one(tmp_path: Path) -> None:
    for sample in samples():
        write_image(tmp_path / "day-1" / sample.key, sample.image())
    reader = FootageReader(tmp_path)
    tracked = TrackedReader(reader, Tracker.of_readers([reader]))
    (subject,) = tracked[3].instances or ()
    assert subject.box is not None
    np.testing.assert_allclose(subject.box[:2] + subject.box[2:], 2 * np.array(PLACES[3]), atol=2)
    assert subject.provenance.source == "background-subtraction"
    assert tracked[3].extras["background"]().shape == (*SIZE, 3)


def test_reduced_footage(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", frame(30, 30))
    (sample,) = FootageReader(tmp_path, long_side=45)
    assert sample.size == (30, 45)
    assert sample.image().shape == (30, 45, 3)
