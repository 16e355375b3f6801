"""Videos: streamed and random access agree, round trips are close, broken files are refused."""

import os
import pickle
from fractions import Fraction

import av
import numpy as np
import pytest

from gensight.errors import BrokenImageError, DataError
from gensight.files.images import write_image
from gensight.files.videos import index as video_index
from gensight.files.videos import reading
from gensight.files.videos.reading import open_video, read_frame
from gensight.files.videos.writing import VideoWriter
from tests.files.videos.clips import (
    CLIPS,
    NUM_FRAMES,
    RATE,
    UNEVEN,
    Clip,
    number_of,
    set_matrix,
    write_clip,
    write_packed,
)


def frame_of(index: int, height: int = 32, width: int = 48) -> np.ndarray:
    """A smooth frame whose brightness encodes its number."""
    image = np.zeros((height, width, 3), np.uint8)
    image[...] = 20 + 5 * index
    image[: height // 2, : width // 2, 0] = 200  # the top left corner is red
    return image


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, rate=Fraction(25)) as writer:
        for index in range(40):
            writer.write(frame_of(index))
    return path


def number(frame: np.ndarray) -> int:
    return round((float(frame[-8:, -8:].mean()) - 20) / 5)


def test_round_trip(clip):
    video = open_video(clip)
    assert (video.num_frames, video.size, video.rate) == (40, (32, 48), 25)
    frames = list(video.frames())
    assert [number(frame) for frame in frames] == list(range(40))
    assert all(frame.dtype == np.uint8 and frame.flags.c_contiguous for frame in frames)
    assert np.abs(frames[7].astype(int) - frame_of(7)).mean() < 6


def test_slices_of_a_stream(clip):
    video = open_video(clip)
    assert [number(frame) for frame in video.frames(5, 20, 4)] == [5, 9, 13, 17]
    assert [number(frame) for frame in video.frames(38, 99)] == [38, 39]
    assert list(video.frames(40)) == []


def test_random_access_is_exact_in_any_order(clip):
    video = open_video(clip)
    order = np.random.default_rng(0).permutation(40)
    assert [number(video.frame(int(index))) for index in order] == order.tolist()
    with pytest.raises(IndexError):
        video.frame(40)


def test_random_access_equals_streaming_on_a_real_video(shared_data):
    video = open_video(shared_data / "videos" / "bear.mp4")
    assert video.num_frames == 82
    assert video.size == (480, 854)
    streamed = {index: frame for index, frame in zip(range(30), video.frames(), strict=False) if index in (0, 11, 29)}
    for index in (29, 0, 11):
        np.testing.assert_array_equal(video.frame(index), streamed[index])


def test_seeking_between_key_frames(tmp_path):
    path = tmp_path / "keys.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=30, options={"g": "7", "bf": "2", "crf": "10"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for index in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_of(index), format="rgb24")))
        container.mux(stream.encode())
    video = open_video(path)
    starts = {video.key_frame(index) for index in range(40)}
    assert 4 <= len(starts) <= 10
    assert all(video.key_frame(start) == start for start in starts)
    assert [number(video.frame(index)) for index in (39, 8, 6, 7, 30, 31)] == [39, 8, 6, 7, 30, 31]
    assert [number(frame) for frame in video.frames(20, 24)] == [20, 21, 22, 23]


def test_a_video_can_be_pickled(clip):
    video = open_video(clip)
    video.frame(3)
    assert number(pickle.loads(pickle.dumps(video)).frame(4)) == 4


def test_read_frame(clip):
    assert [number(read_frame(clip, index)) for index in (9, 10, 2)] == [9, 10, 2]


def test_odd_sizes_are_padded(tmp_path):
    with VideoWriter(tmp_path / "odd.mp4", rate=30) as writer:
        writer.write(np.full((31, 33, 3), 128, np.uint8))
    assert open_video(tmp_path / "odd.mp4").size == (32, 34)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_a_frame_by_index_is_that_frame_in_order(clip, tmp_path):
    _check_every_frame(write_clip(clip, tmp_path), clip.uneven)


def test_a_packed_bitstream_is_read(tmp_path):
    _check_every_frame(write_packed(tmp_path / "xvid.avi"), uneven=False)


def _check_every_frame(path, uneven):
    with av.open(str(path)) as container:
        full = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [number_of(frame) for frame in full] == list(range(NUM_FRAMES))  # nothing is lost in the file itself
    video = open_video(path)
    streamed = list(video.frames())
    assert len(streamed) == video.num_frames == NUM_FRAMES
    assert video.note is None
    assert all(np.array_equal(frame, other) for frame, other in zip(streamed, full, strict=True))
    times = np.array(UNEVEN if uneven else range(NUM_FRAMES)) / RATE
    if path.suffix != ".h264":  # a bare stream has no times
        np.testing.assert_allclose(video.seconds, times, atol=2e-3)
    backwards, shuffled = range(NUM_FRAMES)[::-1], np.random.default_rng(0).permutation(NUM_FRAMES)
    for index in [*backwards, *shuffled.tolist()]:
        np.testing.assert_array_equal(video.frame(index), full[index], err_msg=f"frame {index}")
    for index in range(NUM_FRAMES):  # each from a decoder of its own
        np.testing.assert_array_equal(open_video(path).frame(index), full[index], err_msg=f"frame {index}")


def test_a_seek_that_lands_too_late_is_repeated_from_further_back(tmp_path, monkeypatch):
    path = write_clip(next(clip for clip in CLIPS if clip.name == "mpeg2-b.mpg"), tmp_path)
    seeks = []
    monkeypatch.setattr(reading, "open_container", lambda path: _Late(video_index.open_container(path), seeks))
    assert [number_of(open_video(path).frame(index)) for index in (50, 30, 13)] == [50, 30, 13]
    assert len(seeks) > 3


class _Late:
    """A container whose first seeks lead to the last key frame."""

    def __init__(self, container, seeks):
        self.container, self.seeks, self.late = container, seeks, len(seeks) % 2 == 0

    def __getattr__(self, name):
        return getattr(self.container, name)

    def seek(self, offset, **options):
        self.seeks.append(offset)
        self.container.seek(10**9 if self.late else offset, **options)


def test_an_index_that_took_a_full_decode_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path / "cache"))
    path = write_clip(next(clip for clip in CLIPS if clip.name == "h264-b.avi"), tmp_path)
    assert open_video(path).num_frames == NUM_FRAMES
    video_index._index.cache_clear()
    monkeypatch.setattr(video_index, "write_columns", lambda *_: pytest.fail("decoded again"))
    assert number_of(open_video(path).frame(31)) == 31
    next((tmp_path / "cache" / "videos").iterdir()).write_bytes(b"damaged")
    video_index._index.cache_clear()
    monkeypatch.setattr(video_index, "write_columns", lambda *_: None)
    assert number_of(open_video(path).frame(31)) == 31


R, G, B, Y = (200, 20, 20), (20, 180, 20), (20, 20, 200), (220, 220, 20)
TURNS = {
    "quarter": ((0, 1, -1, 0), (B, R, Y, G)),
    "half": ((-1, 0, 0, -1), (Y, B, G, R)),
    "three quarters": ((0, -1, 1, 0), (G, Y, R, B)),
    "mirrored": ((-1, 0, 0, 1), (G, R, Y, B)),
    "upside down": ((1, 0, 0, -1), (B, Y, R, G)),
    "transposed": ((0, 1, 1, 0), (R, B, G, Y)),
    "other diagonal": ((0, -1, -1, 0), (Y, G, B, R)),
    "7 degrees": ((0.9925, 0.1219, -0.1219, 0.9925), (R, G, B, Y)),
    "100 degrees": ((-0.1736, 0.9848, -0.9848, -0.1736), (B, R, Y, G)),
    "nothing": ((0, 0, 0, 0), (R, G, B, Y)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_the_display_matrix_is_applied(turn, tmp_path):
    matrix, expected = TURNS[turn]
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16, :24], image[:16, 24:], image[16:, :24], image[16:, 24:] = R, G, B, Y
    with VideoWriter(tmp_path / "plain.mp4", rate=30) as writer:
        writer.write(image)
        writer.write(image)
    video = open_video(set_matrix(tmp_path / "plain.mp4", tmp_path / "turned.mp4", *matrix))
    swaps = abs(matrix[1]) > abs(matrix[0])
    assert video.size == ((48, 32) if swaps else (32, 48))
    for frame in (video.frame(1), next(video.frames())):
        height, width, _ = frame.shape
        corners = [frame[y, x].tolist() for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
        assert np.abs(np.array(corners) - np.array(expected)).max() < 40


CUT = ["mjpeg.avi", "mpeg4.avi", "h264-b.mkv", "vp9.webm", "h264-b.m2ts", "mpeg2-b.mpg", "wmv2.wmv", "fast.mp4"]


@pytest.mark.parametrize("share", [0.7, 0.75, 0.8])
@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_gives_its_whole_frames_and_a_note(name, share, tmp_path):
    if name == "fast.mp4":
        source = tmp_path / name
        clip = write_clip(next(clip for clip in CLIPS if clip.name == "h264.mp4"), tmp_path)
        with av.open(str(clip)) as old, av.open(str(source), "w", options={"movflags": "faststart"}) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
    else:
        source = write_clip(next(clip for clip in CLIPS if clip.name == name), tmp_path)
    path = tmp_path / f"cut{source.suffix}"
    data = source.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    video = open_video(path)
    frames = list(video.frames())
    assert 10 < len(frames) == video.num_frames < NUM_FRAMES
    numbers = [number_of(frame) for frame in frames]
    assert numbers[:-3] == list(range(len(numbers) - 3))  # of the last ones, those between may be lacking
    assert [number_of(video.frame(index)) for index in range(video.num_frames)] == numbers
    states_its_length = name.endswith((".avi", ".mkv", ".webm", ".mp4"))
    assert ("cut short" in (video.note or "")) >= states_its_length


def test_a_broken_frame_is_named_and_the_others_are_read(tmp_path):
    path = write_clip(Clip("damaged.mp4", "mjpeg", pixels="yuvj420p"), tmp_path)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = next(packet for number, packet in enumerate(container.demux(video=0)) if number == 20)
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    video = open_video(path)
    found = list(video.frames_or_errors())
    assert [number for number, frame in found if isinstance(frame, BrokenImageError)] == [20]
    assert [number_of(frame) for _, frame in found if not isinstance(frame, BrokenImageError)] == [
        number for number in range(NUM_FRAMES) if number != 20
    ]
    for index in (20, 21, 20, 5):
        if index == 20:
            with pytest.raises(BrokenImageError, match="cannot be decoded") as caught:
                video.frame(index)
            assert caught.value.where == f"{path}, frame 20"
        else:
            assert number_of(video.frame(index)) == index
    with pytest.raises(BrokenImageError):
        list(video.frames())


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").mkdir()
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(DataError, match="not a regular file"):
            open_video(tmp_path / name)


def test_a_failed_writer_leaves_nothing(tmp_path):
    def fail() -> None:
        with VideoWriter(tmp_path / "a.mp4", rate=30) as writer:
            writer.write(frame_of(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_without_frames_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least one frame"), VideoWriter(tmp_path / "a.mp4", rate=30):
        pass
    assert list(tmp_path.iterdir()) == []


def test_unreadable_videos_are_refused(tmp_path, clip):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="the video file is empty"):
        open_video(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("hello" * 100)
    with pytest.raises(DataError, match="not a video that can be read"):
        open_video(tmp_path / "text.mp4")
    (tmp_path / "half.mp4").write_bytes(clip.read_bytes()[:500])
    with pytest.raises(DataError, match="not a video that can be read"):
        open_video(tmp_path / "half.mp4")
    with pytest.raises(DataError, match="video not found"):
        open_video(tmp_path / "none.mp4")


def test_a_video_without_frames_is_refused(tmp_path):
    path = tmp_path / "none.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"no frames|no video stream|not a video"):
        open_video(path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(DataError, match="no video stream"):
        open_video(path)


def test_a_damaged_end_names_the_frame(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    at = data.index(b"mdat")
    data[at + 1200 :] = b""
    path = tmp_path / "cut.mp4"
    path.write_bytes(data)
    with pytest.raises(DataError):
        list(open_video(path).frames())


def test_a_still_image_is_a_video_of_one_frame(tmp_path):
    write_image(tmp_path / "a.png", frame_of(3))
    assert open_video(tmp_path / "a.png").num_frames == 1
