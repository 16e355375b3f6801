"""Which frames a video file holds: their times, and the packets from which decoding can begin."""

import warnings
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from gensight.errors import DataError, FileWarning
from gensight.files.columns import cache_folder, read_columns, write_columns
from gensight.files.hashing import value_hash
from gensight.samples import Array, Size

UNREADABLE = (av.FFmpegError, OSError, ValueError)
BROKEN = "is the file truncated, or something else than a video? Replace or remove it"
_COMPARED = 32  # decoded frames that are compared with the packets' times when a file is opened
_VERSION = 1  # of the cached indices
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The frames of a video stream in the order in which they are shown.

    Attributes:
        stamps: int64 (num_frames,), ascending: by which a decoded frame is recognised. Empty: by counting.
        seconds: float64 (num_frames,), the time of each frame after the first.
        keys: int64 (num_keys, 4): of each key packet the frame that it holds, where to seek to, and its own pts and
            dts; the first is the start of the file.
        counted: The packets' times are not those of the frames (H.264 with B-frames or Xvid in avi), so the whole file
            was decoded once: `stamps` are the decoder's, and a frame without one follows the frame before it.
        stored: (height, width) of the frames as they are stored.
        size: (height, width) of the upright frames.
        rate: Frames per second, on average.
        note: Where the file ends before what its header states.
    """

    stamps: Array
    seconds: Array
    keys: Array
    counted: bool
    stored: Size
    size: Size
    rate: Fraction
    note: str | None

    def position(self, frame: Any, after: int) -> int | None:
        """The number of a decoded frame that follows number `after`; None if it is none of the index's."""
        stamp = frame.dts if self.counted else frame.pts
        if stamp is None or not len(self.stamps):
            return after + 1 if after + 1 < len(self.seconds) else None
        place = bisect_left(self.stamps, stamp)
        return place if place < len(self.stamps) and self.stamps[place] == stamp else None


def open_container(path: Path) -> Any:
    """An open file with a video stream, whose decoder may use threads. Raises DataError."""
    if path.exists() and not path.is_file():
        raise DataError("not a regular file", where=path, hint="name a video file")
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except FileNotFoundError as error:
        raise DataError("video not found", where=path) from error
    except UNREADABLE as error:
        empty = path.is_file() and path.stat().st_size == 0
        what = "the video file is empty" if empty else "not a video that can be read"
        raise DataError(what, where=path, hint=BROKEN) from error
    if not container.streams.video:
        container.close()
        raise DataError("the file has no video stream", where=path, hint=BROKEN)
    container.streams.video[0].thread_type = "AUTO"
    return container


def orient(pixels: Array, frame: Any) -> Array:
    """Stored pixels -> as players show them: mirrored and turned by the frame's display matrix, to quarter turns."""
    matrix = next((side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(matrix)[:20], np.int32).tolist()  # (x, y) -> (a x + c y, b x + d y)
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if d < 0 else pixels


def index_video(path: Path) -> FrameIndex:
    """The index of a video file, remembered by this process, and on disk where making it takes a full decode.

    Raises:
        DataError: The file is missing, empty, not a video, or holds no frame.
    """
    try:
        status = path.stat()
    except OSError:
        open_container(path).close()  # raises what is wrong
        raise
    return _index(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)
def _index(path: Path, changed: int, num_bytes: int) -> FrameIndex:
    index = _build(path, changed, num_bytes)
    if index.note is not None:
        warnings.warn(FileWarning(index.note, path), stacklevel=2)
    return index


def _build(path: Path, changed: int, num_bytes: int) -> FrameIndex:
    with open_container(path) as container:
        packets = _packets(path, container)
    with open_container(path) as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or stream.guessed_rate or 30)
        timed = "matroska" in container.format.name  # others estimate their duration
        alone = timed and len(container.streams) == 1
        declared = stream.frames, container.duration / 1e6 if alone and container.duration else 0.0
        start, first = _first_frames(container, packets)
        if not first:
            raise DataError("the video has no frames", where=path, hint=BROKEN)
        pixels = first[0].to_ndarray(format="rgb24")
        sizes = pixels.shape[:2], orient(pixels, first[0]).shape[:2]
        base = stream.time_base
    if start is None:
        cached = cache_folder() / "videos" / f"{value_hash([str(path.absolute()), changed, num_bytes, _VERSION])}.index"
        stamps, seconds, keys = _decoded_index(path, packets, float(base), float(rate), cached)
        return FrameIndex(stamps, seconds, keys, True, *sizes, rate, _note(declared, seconds))
    whole = bool(stream.frames) or timed or _last_is_whole(path, packets)
    packets = packets if whole else packets[:-1]
    stamps = np.sort(packets[:, 0])[start:]
    places = packets[packets[:, 2] > 0]
    places = places[np.argsort(places[:, 0], kind="stable")]
    positions = np.searchsorted(stamps, places[:, 0])
    seek = np.where(places[:, 1] == _NO_TIME, places[:, 0], places[:, 1])
    keys = _with_start(np.stack([positions, seek, places[:, 0], places[:, 1]], axis=1))
    seconds = (stamps - stamps[0]) * float(base)
    return FrameIndex(stamps, seconds, keys, False, *sizes, rate, _note(declared, seconds, whole))


def _with_start(keys: Array) -> Array:
    """Keys whose first row is the start of the file, which needs no seek."""
    later = keys[keys[:, 0] > 0]
    return np.concatenate([np.array([[0, _NO_TIME, _NO_TIME, _NO_TIME]]), later]).astype(np.int64)


def _packets(path: Path, container: Any) -> Array:
    """int64 (num_packets, 3) in the order of the file: pts, dts, and 1 for key packets. Raises DataError."""
    rows, cut = [], False
    try:
        for packet in container.demux(video=0):
            if packet.size and not packet.is_discard:
                cut = packet.is_corrupt
                times = (_NO_TIME if time is None else time for time in (packet.pts, packet.dts))
                rows.append((*times, packet.is_keyframe))
    except UNREADABLE as error:
        if not rows:
            raise DataError(f"the video cannot be read: {error}", where=path, hint=BROKEN) from error
    if cut and len(rows) > 1:  # the file ends within its last packet
        rows.pop()
    return np.array(rows, np.int64).reshape(-1, 3)


def _note(declared: tuple[int, float], seconds: Array, whole: bool = True) -> str | None:
    """What to say of a file whose header states a number of frames and a duration (0: states none)."""
    frames, duration = declared
    what = "the video is cut short: "
    if frames - len(seconds) > max(1, frames // 1000):  # headers that round are not worth a word
        return f"{what}{len(seconds)} of the {frames} frames that its header states"
    longest = float(np.diff(seconds).max()) if len(seconds) > 1 else duration
    if duration - seconds[-1] > 2.5 * longest:
        return f"{what}{seconds[-1]:.1f} of the {duration:.1f} seconds that its header states"
    return None if whole else f"{what}it ends within a frame"


def _last_is_whole(path: Path, packets: Array) -> bool:
    """Whether the last packet of the file can be decoded, from the last key packets on."""
    keys = packets[packets[:, 2] > 0]
    with open_container(path) as container:
        back = 4 if container.format.name == "mpeg" else 2  # a seek may lead behind the last one
        if len(keys) > back:
            pts, dts, _ = keys[-back].tolist()
            with suppress(*UNREADABLE):
                container.seek(pts if dts == _NO_TIME else dts, stream=container.streams.video[0], backward=True)
        frames = list(decoded(container, container.demux(video=0), []))
    last, known = packets[-1, 0], set(packets[:, 0].tolist())  # what the decoder holds back may lose its time
    found = [frame for frame in frames if frame.pts == last or (frame.dts is None and frame.pts not in known)]
    return len(packets) < 2 or not frames or any(not frame.is_corrupt for frame in found)


def decoded(container: Any, packets: Iterator[Any], errors: list[Exception]) -> Iterator[Any]:
    """Frames of the packets; packets that can't be decoded are left out, and their errors noted."""
    while True:
        try:
            packet = next(packets, None)
        except UNREADABLE as error:
            errors.append(error)
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except UNREADABLE as error:
            errors.append(error)


def _first_frames(container: Any, packets: Array) -> tuple[int | None, list[Any]]:
    """The number of packets' times before the first frame, None if the times are no frames'; and the first frames."""
    errors: list[Exception] = []
    frames = list(islice(decoded(container, container.demux(video=0), errors), _COMPARED))
    known, found = np.sort(packets[:, 0]), [frame.pts for frame in frames]
    if not frames or None in found or known[0] == _NO_TIME or len(np.unique(known)) < len(known):
        return None, frames
    start = int(np.searchsorted(known, found[0]))
    if errors:  # frames may be lacking, and their numbers are theirs all the same
        return (start if np.isin(found, known).all() and (np.diff(found) > 0).all() else None), frames
    return (start if np.array_equal(known[start : start + len(found)], found) else None), frames


def _decoded_index(path: Path, packets: Array, base: float, rate: float, cached: Path) -> tuple[Array, Array, Array]:
    """(stamps, seconds, keys) of a file whose packets' times are not those of its frames, from decoding it once."""
    if cached.is_file():
        try:
            columns, _ = read_columns(cached)
            return columns["stamps"], columns["seconds"], columns["keys"]
        except DataError:  # damaged; made again
            pass
    with open_container(path) as container:
        timeless = container.format.flags & 0x80  # AVFMT_NOTIMESTAMPS: a bare stream, in which nothing can be found
        frames = []
        for frame in decoded(container, container.demux(video=0), []):
            times = (_NO_TIME if time is None else time for time in (frame.pts, frame.dts))
            frames.append((*times, frame.key_frame, frame.is_corrupt))
    if len(frames) > 1 and frames[-1][3]:  # the file ends within it
        frames.pop()
    times, stamps, is_key, _ = np.array(frames, np.int64).T
    steady = (np.diff(times) > 0).all() and times[0] != _NO_TIME
    seconds = (times - times[0]) * base if steady else np.arange(len(times)) / rate
    timed = len(stamps) - int(np.argmax(stamps[::-1] != _NO_TIME))  # the last frames come without a time
    stamps[timed:] = stamps[timed - 1] + 1 + np.arange(len(stamps) - timed)
    places, positions = packets[packets[:, 2] > 0], np.flatnonzero(is_key)
    exact = not timeless and (np.diff(stamps) > 0).all() and len(places) == len(positions)
    if exact and (places[:, 1] != _NO_TIME).all():
        keys = _with_start(np.stack([positions, places[:, 1], places[:, 0], places[:, 1]], axis=1))
    else:
        stamps, keys = stamps[:0], _with_start(np.empty((0, 4)))
    write_columns(cached, {"stamps": stamps, "seconds": seconds, "keys": keys}, None)
    return stamps, seconds, keys
