"""Videos written in parts, at the times of the frames that they show: a killed job keeps the parts that are done."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.samples import Array

CLOCK = 90_000  # ticks a second, to which times are rounded
QUALITY = 20  # H.264's constant rate factor


class ClipPart:
    """A stretch of a video: an H.264 mp4 (yuv420p) that `join_parts` puts beside others; a context manager.

    It has no B-frames, so that the parts' packets follow each other as they are. Odd sides are padded by one black row
    or column. The file appears once the block ends without an error.

    Args:
        path: The file to write.
        rate: Frames per second, on average: a hint to the encoder.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self.rate = path, Fraction(rate).limit_denominator(65535)
        self._stream: Any = None

    def __enter__(self) -> "ClipPart":
        self._file = atomic_path(self.path)
        self._container = av.open(str(self._file.__enter__()), "w", format="mp4")
        return self

    def write(self, image: Array, time: float) -> None:
        """Appends one frame, uint8 RGB (height, width, 3), shown at a time in seconds."""
        height, width, _ = image.shape
        if self._stream is None:
            options = {"crf": str(QUALITY), "bf": "0"}
            self._stream = self._container.add_stream("h264", rate=self.rate, options=options)
            self._stream.pix_fmt = "yuv420p"
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
            self._stream.codec_context.time_base = Fraction(1, CLOCK)
        padded = np.ascontiguousarray(np.pad(image, ((0, height % 2), (0, width % 2), (0, 0))))
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
        frame.pts, frame.time_base = round(time * CLOCK), Fraction(1, CLOCK)
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None and self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
        except BaseException as closing:
            self._file.__exit__(type(closing), closing, closing.__traceback__)
            raise
        self._file.__exit__(*error)


def join_parts(parts: Sequence[Path], path: Path, times: Sequence[float]) -> None:
    """Puts parts in order into one mp4, without encoding anything again; atomically.

    Args:
        parts: As `ClipPart` wrote them, with one image size.
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
