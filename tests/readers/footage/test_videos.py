from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.videos import VideoWriter
from gensight.readers.footage.recordings import FootageReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    (root / "deeper").mkdir()
    for name, count, grey in (("b.mp4", 5, 200), ("deeper/a.mp4", 3, 50), (".hidden.mp4", 2, 0)):
        with VideoWriter(root / name, 10) as writer:
            for _ in range(count):
                writer.write(np.full((16, 24, 3), grey, dtype=np.uint8))
    (root / "notes.txt").write_text("not a video")
    return root


def test_frames_of_all_videos_follow_one_another(folder):
    reader = FootageReader(folder, images=False)
    assert [sample.key for sample in reader] == [
        *(f"b.mp4#{index:06d}" for index in range(5)),
        *(f"deeper/a.mp4#{index:06d}" for index in range(3)),
    ]
    assert reader.groups == ["b.mp4"] * 5 + ["deeper/a.mp4"] * 3
    assert [round(float(reader[index].image().mean()), -1) for index in (0, 4, 5, 7)] == [200, 200, 50, 50]


def test_a_step_counts_within_each_video(folder):
    keys = [sample.key for sample in FootageReader(folder, step=2, images=False)]
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
