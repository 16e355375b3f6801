"""Boxes of a user's own footage: the subject is tracked against the background of its recording."""

from gensight.files.videos import open_video
from gensight.prediction.sources import PredictionSource
from gensight.readers.footage.tracked import NUM_FRAMES, Tracker
from gensight.readers.footage.video import VideoReader


def track_source(source: PredictionSource) -> Tracker | None:
    """A tracker of a folder's or video's recordings; None for a single image, which has no background to subtract.

    Raises:
        DataError: If a recording has too few frames, or frames of several sizes.
    """
    if source.reader is None:
        return None
    if isinstance(source.reader, VideoReader):
        step = max(1, open_video(source.path).num_frames // NUM_FRAMES)
        return Tracker.fit(VideoReader(source.path, step).frames())  # streamed: seeking is slow
    return Tracker.of_readers([source.reader])
