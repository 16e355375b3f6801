"""Video: its frames as samples, without labels."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gensight.errors import BrokenImageError, DataError
from gensight.files.videos.reading import frame_key, open_video, read_frame
from gensight.readers.base import Reader
from gensight.readers.shared.checking import Finding, Summary, check_samples
from gensight.samples import Array, Sample


class VideoReader(Reader):
    """Every `step`-th frame of a video. Keys are `video.mp4#000012`, numbered in the video; one group.

    Args:
        path: The video file.
        step: Take every k-th frame, from the first (k = step).

    Raises:
        DataError: The file is missing, not a video, or has no frame; or `step` is less than 1.
    """

    name = "video"

    def __init__(self, path: str | Path, step: int = 1) -> None:
        if step < 1:
            raise DataError(f"a step of {step} frames is too small", where=path, hint="choose 1 or more")
        self.path = Path(path)
        self.step = step
        video = open_video(path)
        self.size, self.rate, self.note = video.size, video.rate, video.note
        self._num_frames = video.num_frames

    def __len__(self) -> int:
        return -(-self._num_frames // self.step)

    def sample(self, index: int) -> Sample:
        number = index * self.step
        return Sample(self._key(number), self.size, partial(read_frame, self.path, number), group=self.path.name)

    def frames(self) -> Iterator[Sample]:
        """The samples in order, each decoded once, in constant memory: faster than indexing.

        A frame that can't be decoded has a sample, too; its `image()` raises the BrokenImageError.
        """
        for number, frame in open_video(self.path).frames_or_errors(step=self.step):
            yield Sample(self._key(number), self.size, partial(_pixels, frame), group=self.path.name)

    def _key(self, number: int) -> str:
        return frame_key(self.path.name, number)

    def group(self, index: int) -> str:
        return self.path.name

    @property
    def folder(self) -> Path:
        return self.path.parent

    def check(self) -> Summary:
        notes = [] if self.note is None else [Finding("note", self.note, self.path.name)]
        return check_samples(self.sample, len(self), notes, stream=self.frames())


def _pixels(frame: Array | BrokenImageError) -> Array:
    if isinstance(frame, BrokenImageError):
        raise frame
    return frame
