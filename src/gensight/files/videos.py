"""Video files: frames streamed in constant memory, or exactly by index, and back to a file."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.samples import Array, Size

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg"})

_UNREADABLE = (av.FFmpegError, OSError, ValueError)
_BROKEN = "is the file truncated, or something else than a video? Replace or remove it"


class Video:
    """A video file, indexed by the time stamps of its frames; made by `open_video`.

    Only the index lies in memory: 8 bytes per frame. Picklable; a copy opens the file anew.

    Attributes:
        path: The file.
        size: (height, width) of the upright frames: the file's rotation is applied.
        rate: Frames per second, on average.
        num_frames: Number of frames.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._container() as container:
            stream = container.streams.video[0]
            self._times, self._key_times = self._index(container)
            rate = stream.average_rate or stream.guessed_rate
            self.rate = Fraction(rate) if rate else Fraction(30)
        if not self._times:
            raise DataError("the video has no frames", where=self.path, hint=_BROKEN)
        self.num_frames = len(self._times)
        self._cursor: _Cursor | None = None
        height, width, _ = self.frame(0).shape
        self.size: Size = (height, width)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cursor": None}  # a decoder can't be pickled

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Array]:
        """Streams frames start, start + step, ... below `stop`, in constant memory.

        Yields:
            uint8 (height, width, 3), RGB, upright.

        Raises:
            DataError: A frame can't be decoded.
        """
        chosen = range(self.num_frames)[start:stop:step]
        if not chosen:
            return
        with closing(_Cursor(self, chosen[0])) as cursor:
            for index in chosen:
                yield cursor.read(index)

    def frame(self, index: int) -> Array:
        """The frame at `index`, whatever was read before; fast where indices ascend.

        Returns:
            uint8 (height, width, 3), RGB, upright.

        Raises:
            IndexError: There is no such frame.
            DataError: It can't be decoded.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.num_frames} in {self.path}")
        if self._cursor is None or not self._cursor.reaches(index):
            if self._cursor is not None:
                self._cursor.close()
            self._cursor = _Cursor(self, index)
        try:
            return self._cursor.read(index)
        except DataError:
            self._cursor = None
            raise

    def key_frame(self, index: int) -> int:
        """The last frame at or before `index` from which decoding can start."""
        key = bisect_right(self._key_times, self._times[index]) - 1
        return 0 if key < 0 else bisect_right(self._times, self._key_times[key]) - 1

    def _container(self) -> Any:
        try:
            container = av.open(str(self.path))
        except FileNotFoundError as error:
            raise DataError("video not found", where=self.path) from error
        except _UNREADABLE as error:
            empty = self.path.is_file() and self.path.stat().st_size == 0
            what = "the video file is empty" if empty else "not a video that can be read"
            raise DataError(what, where=self.path, hint=_BROKEN) from error
        if not container.streams.video:
            container.close()
            raise DataError("the file has no video stream", where=self.path, hint=_BROKEN)
        container.streams.video[0].thread_type = "AUTO"
        return container

    def _index(self, container: Any) -> tuple[list[int], list[int]]:
        """Presentation times of all frames and of the key frames, ascending, from packets alone."""
        times, keys = [], []
        try:
            for packet in container.demux(video=0):
                if packet.size == 0 or packet.is_discard:
                    continue
                time = packet.pts if packet.pts is not None else packet.dts
                if time is None:  # old AVI files: nothing but the order
                    raise DataError("the video's frames have no time stamps", where=self.path, hint="convert it to mp4")
                times.append(time)
                if packet.is_keyframe:
                    keys.append(time)
        except _UNREADABLE as error:
            raise DataError(f"the video cannot be read: {error}", where=self.path, hint=_BROKEN) from error
        return sorted(times), sorted(keys)


class _Cursor:
    """A decoder somewhere in a video, which only moves forward."""

    def __init__(self, video: Video, index: int) -> None:
        self.video = video
        self.container = video._container()
        self.stream = self.container.streams.video[0]
        if video.key_frame(index) > 0:
            self.container.seek(video._times[index], stream=self.stream, backward=True)
        self.decoded = self.container.decode(self.stream)
        self.position = video.key_frame(index)  # decoding starts here

    def reaches(self, index: int) -> bool:
        """Whether going forward to `index` is no slower than seeking to it."""
        return self.position <= index and self.video.key_frame(index) <= self.position

    def read(self, index: int) -> Array:
        target = self.video._times[index]
        try:
            for frame in self.decoded:
                time = frame.pts if frame.pts is not None else frame.dts
                if time is not None and time < target:
                    continue
                if time is None or time > target:
                    break
                self.position = index + 1
                upright = np.rot90(frame.to_ndarray(format="rgb24"), k=frame.rotation // 90)
                return np.ascontiguousarray(upright)
        except _UNREADABLE as error:
            raise self._broken(index) from error
        raise self._broken(index)

    def _broken(self, index: int) -> DataError:
        self.close()
        return DataError("the video frame cannot be decoded", where=f"{self.video.path}, frame {index}", hint=_BROKEN)

    def close(self) -> None:
        self.container.close()


def open_video(path: str | Path) -> Video:
    """Opens a video and indexes its frames, without decoding more than the first.

    Raises:
        DataError: The file is missing, empty, not a video, or holds no frame.
    """
    return Video(path)


@lru_cache(maxsize=4)
def _shared_video(path: Path, changed: int, process: int) -> Video:
    return Video(path)


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


class VideoWriter:
    """Writes frames to an H.264 mp4 that any video player shows (yuv420p), atomically; a context manager.

    The file appears once the block ends without an error. Odd sides are padded by one black row or column.

    Args:
        path: The file to write.
        rate: Frames per second.
        quality: H.264's constant rate factor, 0 (lossless) to 51; smaller is better and larger.
    """

    def __init__(self, path: str | Path, rate: Fraction | float | int = 30, quality: int = 20) -> None:
        self.path = Path(path)
        self.rate = Fraction(rate).limit_denominator(65535)
        self.quality = quality
        self._stream: Any = None
        self._size: Size | None = None

    def __enter__(self) -> "VideoWriter":
        self._file = self._open()
        self._file.__enter__()
        return self

    @contextmanager
    def _open(self) -> Iterator[None]:
        with atomic_path(self.path) as temporary, av.open(str(temporary), "w", format="mp4") as self._container:
            yield
            if self._stream is None:
                raise DataError("a video needs at least one frame, and none was written", where=self.path)
            self._container.mux(self._stream.encode())

    def write(self, image: Array) -> None:
        """Appends one frame, uint8 RGB (height, width, 3); all frames have the first one's size."""
        height, width, _ = image.shape
        if self._stream is None:
            self._size = (height, width)
            self._stream = self._container.add_stream("h264", rate=self.rate, options={"crf": str(self.quality)})
            self._stream.pix_fmt = "yuv420p"
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
        assert self._size == (height, width), f"frames of one video have one size: {self._size}, {(height, width)}"
        image = np.ascontiguousarray(np.pad(image, ((0, height % 2), (0, width % 2), (0, 0))))
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
