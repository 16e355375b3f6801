"""Boxes of a user's own footage: the subject is tracked against the background of its recording."""

from gensight.errors import DataError
from gensight.prediction.sources import PredictionSource
from gensight.readers.footage.tracked import NUM_FRAMES, Tracker
from gensight.readers.footage.video import VideoReader
from gensight.readers.splits import Subset


def track_source(source: PredictionSource) -> Tracker | None:
    """A tracker of a folder's or video's recordings; None for a single image, which has no background to subtract.

    Raises:
        DataError: If a recording has too few frames, or frames of several sizes.
    """
    if source.num_samples == 1:
        return None
    reader = source.reader
    try:
        if isinstance(reader, VideoReader):
            step = max(1, source.num_samples // NUM_FRAMES)
            return Tracker.fit(VideoReader(source.path, step).frames())  # streamed: seeking is slow
        return Tracker.of_readers([reader])
    except DataError:  # again, without what can't be read
        readings = (one for one in source.read(range(source.num_samples)) if one.sample is not None)
        if isinstance(reader, VideoReader):
            return Tracker.fit(one.sample for one in readings if one.sample and one.index % step == 0)
        return Tracker.of_readers([Subset(reader, [one.index for one in readings])])
