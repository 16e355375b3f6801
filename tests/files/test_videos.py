"""Videos: streamed and random access agree, round trips are close, broken files are refused."""

import pickle
from fractions import Fraction

import av
import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.files.videos import VideoWriter, open_video, read_frame


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


def test_rotation_of_the_file_is_applied(clip, tmp_path):
    turned = tmp_path / "turned.mp4"
    with av.open(str(clip)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = turned.read_bytes()
    # The track header's 3 x 3 matrix: identity -> a quarter turn clockwise.
    unit, zero, minus = (value.to_bytes(4, "big", signed=True) for value in (1 << 16, 0, -(1 << 16)))
    last = (1 << 30).to_bytes(4, "big")
    head = data.index(b"tkhd")
    identity = unit + zero * 3 + unit + zero * 3 + last
    quarter = zero + unit + zero + minus + zero * 4 + last
    at = data.index(identity, head)
    turned.write_bytes(data[:at] + quarter + data[at + 36 :])
    video = open_video(turned)
    assert video.size == (48, 32)
    red = video.frame(0)[..., 0].astype(int) - video.frame(0)[..., 2]
    assert red[:20, 20:].mean() > 100  # the top left corner came to the top right
    assert red[28:, :12].mean() < 10


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
