"""Video files: frames streamed in constant memory, or exactly by index."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from functools import lru_cache
from itertools import chain, dropwhile
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import BrokenImageError
from gensight.files.atomic import readable
from gensight.files.images import image_size, page_seconds, read_image
from gensight.files.videos.index import BROKEN, UNREADABLE, decoded, index_video, open_container, orient
from gensight.samples import Array

VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in ("mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "asf", "flv", "mts", "m2ts", "3gp",
                   "ogv", "h264", "hevc")
)  # fmt: skip


class Video:
    """A video file, indexed by its frames' times; made by `open_video`. Frame i by index is frame i in order.

    Only the index lies in memory: 16 bytes per frame. Picklable; a copy opens the file anew.

    Attributes:
        path: The file.
        size: (height, width) of the upright frames: the file's rotation and mirroring are applied, to quarter turns.
        rate: Frames per second, on average.
        num_frames: Number of frames.
        seconds: float64 (num_frames,), the time of each frame after the first.
        note: What the owner of the file may not expect: that it was cut short; None where there is nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.index = index_video(self.path)
        self.size, self.rate, self.seconds = self.index.size, self.index.rate, self.index.seconds
        self.num_frames, self.note = len(self.seconds), self.index.note
        self._cursor: _Cursor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cursor": None}  # a decoder can't be pickled

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Array]:
        """Streams frames start, start + step, ... below `stop`, in constant memory.

        Yields:
            uint8 (height, width, 3), RGB, upright.

        Raises:
            BrokenImageError: A frame can't be decoded; `frames_or_errors` continues after it.
        """
        for _, frame in self.frames_or_errors(start, stop, step):
            if isinstance(frame, BrokenImageError):
                raise frame
            yield frame

    def frames_or_errors(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Iterator[tuple[int, Array | BrokenImageError]]:
        """Streams (number, frame) as `frames` does, with an error in the place of a frame that can't be decoded."""
        chosen = range(self.num_frames)[start:stop:step]
        if not chosen:
            return
        with closing(_Cursor(self, chosen[0])) as cursor:
            for index in chosen:
                try:
                    yield index, cursor.read(index)
                except BrokenImageError as error:
                    yield index, error

    def frame(self, index: int) -> Array:
        """The frame at `index`, whatever was read before; fast where indices ascend.

        Returns:
            uint8 (height, width, 3), RGB, upright.

        Raises:
            IndexError: There is no such frame.
            BrokenImageError: It can't be decoded.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.num_frames} in {self.path}")
        if self._cursor is None or not self._cursor.reaches(index):
            if self._cursor is not None:
                self._cursor.close()
            self._cursor = _Cursor(self, index)
        return self._cursor.read(index)

    def key_frame(self, index: int) -> int:
        """The last frame at or before `index` from which decoding can start."""
        keys = self.index.keys[:, 0]
        return int(keys[bisect_right(keys, index) - 1])


class _Cursor:
    """A decoder somewhere in a video, which only moves forward. Made, it stands at a key frame at or before `index`."""

    def __init__(self, video: Video, index: int) -> None:
        self.video, self.keys = video, video.index.keys
        self.ids = {(int(pts), int(dts)): int(frame) for frame, _, pts, dts in self.keys[1:]}
        self.container: Any = None
        place, back = bisect_right(self.keys[:, 0], index) - 1, 1
        while not self._start(place, index):  # the file's own index may lead too far, or to no whole frame
            place, back = max(0, place - back), 2 * back

    def _start(self, place: int, index: int) -> bool:
        """Puts the decoder before key frame number `place`; False if it would begin after frame `index`."""
        self.close()
        self.container = open_container(self.video.path)
        self.errors: list[Exception] = []
        self.begin, self.position, self.decoded = 0, -1, -1  # first frame; the last one read; the last one decoded
        self.ahead: tuple[int, Any] | None = None
        packets = self.container.demux(video=0)
        try:
            if place:
                self.container.seek(int(self.keys[place, 1]), stream=self.container.streams.video[0], backward=True)
                packets = dropwhile(lambda packet: not (packet.size and packet.is_keyframe), packets)
                first = next(packets)
                self.begin = self.ids.get((first.pts, first.dts), index + 1)
                packets = chain((first,), packets)
        except (*UNREADABLE, StopIteration):
            return False
        self.frames = decoded(self.container, packets, self.errors)
        if self.begin > index:
            return False
        self.ahead = next(self._numbered(), None) if self.begin else None
        # Where an encoder refreshes pictures bit by bit, what it calls a key frame isn't one.
        return not self.begin or (self.ahead is not None and self.ahead[0] == self.begin and self.ahead[1].key_frame)

    def reaches(self, index: int) -> bool:
        """Whether going forward to `index` is no slower than seeking to it."""
        return self.position < index and self.video.key_frame(index) <= max(self.position + 1, self.begin)

    def read(self, index: int) -> Array:
        self.position = index
        for position, frame in self._numbered():
            if position > index:
                self.ahead = position, frame
                break
            if position == index:
                try:
                    height, width = self.video.index.stored
                    pixels = orient(frame.to_ndarray(format="rgb24", width=width, height=height), frame)
                except UNREADABLE as error:
                    self.errors.append(error)
                    break
                return np.ascontiguousarray(pixels)
        what = "the video frame cannot be decoded"
        broken = BrokenImageError(what, where=f"{self.video.path}, frame {index}", hint=BROKEN)
        broken.__cause__ = self.errors[-1] if self.errors else None
        raise broken

    def _numbered(self) -> Iterator[tuple[int, Any]]:
        """(number, frame) of those that can be decoded, from where the cursor stands."""
        if self.ahead is not None:
            ahead, self.ahead = self.ahead, None
            yield ahead
        for frame in self.frames:
            position = self.video.index.position(frame, self.decoded)
            if position is not None:
                self.decoded = position
                if position >= self.begin:  # those before it may lack what they refer to
                    yield position, frame

    def close(self) -> None:
        if self.container is not None:
            self.container.close()


class PageStack(Video):
    """The pages of a TIFF or GIF as frames; they all have the first one's size."""

    def __init__(self, path: str | Path, seconds: list[float]) -> None:
        self.path, self.seconds, self.note = Path(path), np.array(seconds), None
        self.size, self.num_frames = image_size(path), len(seconds)
        self.rate = Fraction((len(seconds) - 1) / seconds[-1]).limit_denominator(1000)

    def frames_or_errors(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Iterator[tuple[int, Array | BrokenImageError]]:
        for index in range(self.num_frames)[start:stop:step]:
            try:
                yield index, self.frame(index)
            except BrokenImageError as error:
                yield index, error

    def frame(self, index: int) -> Array:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"page {index} of {self.num_frames} in {self.path}")
        return read_image(self.path, index)

    def key_frame(self, index: int) -> int:
        return index


def is_video(path: str | Path) -> bool:
    """Whether a file's name is a video's, or its pages are to be read as frames."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES or len(page_seconds(path)) > 1


def frame_key(name: str, number: int) -> str:
    """How a frame of a video, or a page of an image file, is called: `video.mp4#000012`."""
    return f"{readable(name)}#{number:06d}"


def open_video(path: str | Path) -> Video:
    """Opens a video and indexes its frames: from its packets, or, where these don't state the frames' times (H.264 with
    B-frames or Xvid in avi, bare streams), from one full decode, which is kept in the cache.

    Raises:
        DataError: The file is missing, empty, not a video, or holds no frame.
    """
    seconds = page_seconds(path, all_pages=True)
    return Video(path) if len(seconds) == 1 else PageStack(path, seconds)


@lru_cache(maxsize=4)
def _shared_video(path: Path, changed: int, process: int) -> Video:
    return open_video(path)


def read_frame(path: str | Path, index: int) -> Array:
    """One frame, uint8 (height, width, 3), through decoders that this process keeps open for the next frame.

    Raises:
        DataError: As `open_video`, or the frame can't be decoded.
        IndexError: There is no such frame.
    """
    path = Path(path)
    changed = path.stat().st_mtime_ns if path.exists() else 0
    # A forked worker must not share the file position of its parent, hence the process in the key.
    return _shared_video(path, changed, os.getpid()).frame(index)
