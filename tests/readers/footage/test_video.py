"""Video reader."""

import tracemalloc

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.videos.writing import VideoWriter
from gensight.readers.footage.video import VideoReader
from tests.contracts.reader import ReaderContract


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, rate=25) as writer:
        for index in range(30):
            writer.write(np.full((32, 48, 3), 40 + 5 * index, np.uint8) + np.arange(48, dtype=np.uint8)[:, None])
    return path


class TestVideoReader(ReaderContract):
    @pytest.fixture
    def reader(self, clip):
        return VideoReader(clip, step=7)


def test_keys_number_the_frames_of_the_video(clip):
    reader = VideoReader(clip, step=12)
    assert [sample.key for sample in reader] == ["clip.mp4#000000", "clip.mp4#000012", "clip.mp4#000024"]
    assert set(reader.groups) == {"clip.mp4"}


def test_streaming_gives_the_same_samples(clip):
    reader = VideoReader(clip, step=4)
    streamed = list(reader.frames())
    assert [sample.key for sample in streamed] == [sample.key for sample in reader]
    for a, b in zip(streamed, reader, strict=True):
        np.testing.assert_array_equal(a.image(), b.image())


def test_streaming_takes_constant_memory(clip):
    frames = VideoReader(clip).frames()
    next(frames)
    tracemalloc.start()
    for _ in frames:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 32 * 48 * 3 + 200_000  # thirty frames would be more


def test_a_step_below_one_is_refused(clip):
    with pytest.raises(DataError, match="a step of 0 frames"):
        VideoReader(clip, step=0)


def test_an_unreadable_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("hello" * 99)
    with pytest.raises(DataError, match="not a video that can be read"):
        VideoReader(tmp_path / "a.mp4")
