"""Footage: videos and folders of frames together."""

from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.files.videos.writing import VideoWriter
from gensight.readers.footage.recordings import FootageReader


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "clip.mp4", 5) as video:
        for value in range(5):
            video.write(np.full((32, 48, 3), 40 * value, np.uint8))
    for session in ("a", "b"):
        (tmp_path / "frames" / session).mkdir(parents=True)
        for number in range(3):
            write_image(tmp_path / "frames" / session / f"{number}.png", np.zeros((32, 48, 3), np.uint8))
    return tmp_path


def test_a_video_is_a_group_and_so_is_each_folder(root: Path) -> None:
    reader = FootageReader(root)
    assert len(reader) == 11
    assert reader.groups == ["clip.mp4"] * 5 + ["frames/a"] * 3 + ["frames/b"] * 3
    assert [sample.group for sample in reader] == reader.groups
    assert len({sample.key for sample in reader}) == 11
    assert reader[4].image().mean() > 120


def test_a_step_counts_within_each_group(root: Path) -> None:
    reader = FootageReader(root, step=2)
    assert [sample.key for sample in reader] == [
        "clip.mp4#000000", "clip.mp4#000002", "clip.mp4#000004", "frames/a/0.png", "frames/a/2.png", "frames/b/0.png",
        "frames/b/2.png",
    ]  # fmt: skip
    assert reader.check().num_samples == 7


def test_one_video_will_do(root: Path) -> None:
    reader = FootageReader(root / "clip.mp4", step=4)
    assert [sample.key for sample in reader] == ["clip.mp4#000000", "clip.mp4#000004"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.mp4"):
        FootageReader(tmp_path / "nowhere.mp4")
    with pytest.raises(DataError, match="a step of 0 frames"):
        FootageReader(tmp_path, step=0)


# --- without images ---


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    (root / "deeper").mkdir()
    for name, count, grey in (("b.mp4", 5, 200), ("deeper/a.mp4", 3, 50), (".hidden.mp4", 2, 0)):
        with VideoWriter(root / name, 10) as writer:
            for _ in range(count):
                writer.write(np.full((16, 24, 3), grey, dtype=np.uint8))
    (root / "notes.txt").write_text("not a video")
    return root


def test_frames_of_all_videos_follow_one_another(videos):
    reader = FootageReader(videos, images=False)
    assert [sample.key for sample in reader] == [
        *(f"b.mp4#{index:06d}" for index in range(5)),
        *(f"deeper/a.mp4#{index:06d}" for index in range(3)),
    ]
    assert reader.groups == ["b.mp4"] * 5 + ["deeper/a.mp4"] * 3
    assert [round(float(reader[index].image().mean()), -1) for index in (0, 4, 5, 7)] == [200, 200, 50, 50]


def test_a_step_counts_within_each_video(videos):
    keys = [sample.key for sample in FootageReader(videos, step=2, images=False)]
    assert keys == ["b.mp4#000000", "b.mp4#000002", "b.mp4#000004", "deeper/a.mp4#000000", "deeper/a.mp4#000002"]


def test_folders_without_videos_are_refused(tmp_path):
    with pytest.raises(DataError, match="the folder holds no videos"):
        FootageReader(tmp_path, images=False)
    with pytest.raises(DataError, match="folder not found"):
        FootageReader(tmp_path / "missing", images=False)


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"broken\.mp4"):
        FootageReader(tmp_path, images=False)
