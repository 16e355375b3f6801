"""Tracks the subject in footage of a static camera by background subtraction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gensight.errors import DataError
from gensight.readers.base import Reader, WrappedReader
from gensight.readers.splits import evenly_spaced
from gensight.samples import Array, Instance, Provenance, Sample, Size

NUM_FRAMES = 40  # of each recording, evenly spaced: their median is its background
FEWEST_FRAMES = 5  # with fewer the subject itself is part of the median
_LONG_SIDE = 192  # px at which frames are compared
_SHARE = 0.4  # of the largest difference: what is above it belongs to the subject
_LEAST = 12.0  # grey levels: smaller differences are noise


@dataclass(frozen=True, eq=False)
class _Recording:
    """One still camera's background, float32 (height, width, 3) reduced, and the subject's usual extent in it."""

    background: Array
    side: float


@dataclass(frozen=True, eq=False)
class Tracker:
    """Finds the one subject of each recording by subtracting the recording's median frame.

    Boxes are squares around the subject's centre of mass, as wide as the subject usually is (the median over the
    recording of the longer side of what differs), so that the scale of a crop does not change with a pose.
    Labels are not used.

    Attributes:
        recordings: By name, see `recording_of`.
    """

    recordings: Mapping[str, _Recording]

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> "Tracker":
        """From some frames of each recording.

        Raises:
            DataError: If a recording has too few frames, or frames of several sizes.
        """
        frames: dict[str, list[Array]] = {}
        for sample in samples:
            frames.setdefault(recording_of(sample), []).append(_reduced(sample.image()))
        return cls({name: _recording(name, seen) for name, seen in frames.items()})

    @classmethod
    def of_readers(cls, readers: Sequence[Reader], num_frames: int = NUM_FRAMES) -> "Tracker":
        """From evenly spaced frames of each recording of some readers, such as the parts of a split."""
        places: dict[str, list[tuple[Reader, int]]] = {}
        for reader in readers:
            for index, group in enumerate(reader.groups):
                places.setdefault(group, []).append((reader, index))
        if all(len(own) == 1 for own in places.values()):  # frames that stand alone: their folders are recordings
            chosen = [place for own in places.values() for place in own]
            return cls.fit(reader[index] for reader, index in _spread(chosen, 4 * num_frames))
        return cls.fit(reader[index] for own in places.values() for reader, index in _spread(own, num_frames))

    def box(self, sample: Sample) -> Array:
        """float64 (4,) in image pixels; the whole image where nothing differs from the background.

        Raises:
            DataError: If the sample is of a recording that the tracker was not fitted to.
        """
        known = self._recording(sample)
        found = _subject(_reduced(sample.image()), known.background)
        height, width = sample.size
        if found is None:
            return np.array([0.0, 0.0, width, height])
        scale = width / known.background.shape[1]
        centre, half = found[0] * scale, known.side * scale / 2
        return np.concatenate([centre - half, centre + half])

    def background(self, sample: Sample) -> "Background":
        """The background of the sample's recording, at the sample's size; DataError as for `box`."""
        return Background(self._recording(sample).background, sample.size)

    def _recording(self, sample: Sample) -> _Recording:
        name = recording_of(sample)
        if name not in self.recordings:
            raise DataError("no background is known of this recording", where=sample.key, choices=self.recordings)
        return self.recordings[name]


@dataclass(frozen=True, eq=False)
class Background:
    """A recording's background at the size of its frames; its call is `Sample.image`."""

    reduced: Array
    size: Size

    def __call__(self) -> Array:
        enlarged = cv2.resize(self.reduced, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged.round().clip(0, 255), dtype=np.uint8)


class TrackedReader(WrappedReader):
    """Another reader's samples, whose subject has the box that a tracker finds; samples without a subject get one.

    `extras["background"]` of a sample is the `Background` of its recording.

    Args:
        reader: The samples; where one has several instances, the first is taken to be the subject.
        tracker: Fitted to the same recordings.
    """

    def __init__(self, reader: Reader, tracker: Tracker) -> None:
        super().__init__(reader)
        self.tracker = tracker
        self._boxes: dict[int, Array] = {}

    def sample(self, index: int) -> Sample:
        sample = self.reader.sample(index)
        if index not in self._boxes:
            self._boxes[index] = self.tracker.box(sample)
        subject = sample.instances[0] if sample.instances else Instance(provenance=Provenance("background-subtraction"))
        extras = {**sample.extras, "background": self.tracker.background(sample)}
        return replace(sample, instances=(replace(subject, box=self._boxes[index]),), extras=extras)


def recording_of(sample: Sample) -> str:
    """The recording of a sample: its group, or its folder where every image is a group of its own."""
    return sample.group if sample.group != sample.key else Path(sample.key).parent.as_posix()


def _spread(places: Sequence[Any], count: int) -> list[Any]:
    return [places[i] for i in evenly_spaced(range(len(places)), min(count, len(places)))]


def _reduced(image: Array) -> Array:
    """float32, the longer side at most `_LONG_SIDE` px."""
    height, width = image.shape[:2]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _recording(name: str, frames: Sequence[Array]) -> _Recording:
    if len(frames) < FEWEST_FRAMES:
        raise DataError(
            f"{len(frames)} frames are too few to estimate the background",
            where=name,
            hint=f"give {FEWEST_FRAMES} or more frames of one camera that stands still, boxes, or view.track=false",
        )
    if len({frame.shape for frame in frames}) > 1:
        raise DataError("the frames of a recording have several sizes", where=name, hint="set view.track=false")
    background = np.median(np.stack(frames), axis=0).astype(np.float32)
    sides = [found[1] for frame in frames if (found := _subject(frame, background)) is not None]
    return _Recording(background, float(np.median(sides)) if sides else float(max(background.shape[:2])))


def _subject(frame: Array, background: Array) -> tuple[Array, float] | None:
    """Centre (x, y) and longer side of the connected region that differs most, in reduced pixels; None if nothing."""
    difference = cv2.GaussianBlur(np.abs(frame - background).max(2), (0, 0), 1.5)
    peak = float(difference.max())
    if peak < _LEAST:
        return None
    over = (difference > _SHARE * peak).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(over)
    weights = np.bincount(labels.ravel(), difference.ravel(), count)
    largest = 1 + int(weights[1:].argmax())
    rows, columns = np.nonzero(labels == largest)
    centre = np.array([np.average(axis + 0.5, weights=difference[rows, columns]) for axis in (columns, rows)])
    return centre, float(max(statistics[largest, cv2.CC_STAT_WIDTH], statistics[largest, cv2.CC_STAT_HEIGHT]))
