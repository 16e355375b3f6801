"""Frames to video files, in one go or in parts: a killed job keeps the parts that are done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.samples import Array, Size

CLOCK = 90_000  # ticks a second, to which times are rounded


class VideoWriter:
    """Writes frames to an H.264 mp4 that any video player shows (yuv420p), atomically; a context manager.

    The file appears once the block ends without an error. Odd sides are padded by one black row or column.

    Args:
        path: The file to write.
        rate: Frames per second; where frames have times, their average, a hint to the encoder.
        quality: H.264's constant rate factor, 0 (lossless) to 51; smaller is better and larger.
        is_part: Whether `join_parts` will put it beside others: without B-frames, packets follow each other as they
            are.
    """

    def __init__(
        self, path: str | Path, rate: Fraction | float | int = 30, quality: int = 20, is_part: bool = False
    ) -> None:
        self.path = Path(path)
        self.rate = Fraction(rate).limit_denominator(65535)
        # With x264's "mbtree" the same frames may give different files where another video is decoded beside it.
        self.options = {"crf": str(quality), "mbtree": "0"} | ({"bf": "0"} if is_part else {})
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

    def write(self, image: Array, time: float | None = None) -> None:
        """Appends one frame.

        Args:
            image: uint8 RGB (height, width, 3); all frames have the first one's size.
            time: When it is shown, in seconds, for all frames or none; None: one after the other, by the rate.
        """
        height, width, _ = image.shape
        if self._stream is None:
            self._size = (height, width)
            self._stream = self._container.add_stream("h264", rate=self.rate, options=self.options)
            self._stream.pix_fmt = "yuv420p"
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
            if time is not None:
                self._stream.codec_context.time_base = Fraction(1, CLOCK)
        assert self._size == (height, width), f"frames of one video have one size: {self._size}, {(height, width)}"
        padded = np.ascontiguousarray(np.pad(image, ((0, height % 2), (0, width % 2), (0, 0))))
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
        if time is not None:
            frame.pts, frame.time_base = round(time * CLOCK), Fraction(1, CLOCK)
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)


def join_parts(parts: Sequence[Path], path: Path, times: Sequence[float]) -> None:
    """Puts parts in order into one mp4, without encoding anything again; atomically.

    Args:
        parts: As `VideoWriter` wrote them, with one image size.
        path: The file to write.
        times: When each frame is shown, in seconds.
    """
    ticks = [round(time * CLOCK) for time in times]
    usual = max(1, round(CLOCK / 30) if len(ticks) < 2 else (ticks[-1] - ticks[0]) // (len(ticks) - 1))
    number = 0
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as output:
        stream: Any = None
        for part in parts:
            with av.open(str(part)) as opened:
                source = opened.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(source)
                    stream.time_base = Fraction(1, CLOCK)
                for packet in opened.demux(source):
                    if not packet.size:
                        continue
                    packet.stream, packet.time_base = stream, Fraction(1, CLOCK)
                    packet.pts = packet.dts = ticks[number]
                    packet.duration = ticks[number + 1] - ticks[number] if number + 1 < len(ticks) else usual
                    output.mux(packet)
                    number += 1
    if number != len(ticks):
        raise DataError(f"{number} frames were drawn of {len(ticks)}", where=path, hint="run the same command again")
