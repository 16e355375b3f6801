"""Videos that are written: the same frames make the same bytes, whatever else the process does."""

import numpy as np

from gensight.files.videos.reading import open_video
from gensight.files.videos.writing import VideoWriter


def test_the_same_frames_make_the_same_file_beside_a_decoder(tmp_path):
    frames = np.random.default_rng(0).integers(0, 90, (60, 48, 64, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[10:30, number % 40 : number % 40 + 20] = (200, 120, 60)
    with VideoWriter(tmp_path / "source.mp4", 25) as source:
        for frame in frames:
            source.write(frame)
    files = set()
    for _ in range(12):
        with VideoWriter(tmp_path / "clip.mp4", 25, is_part=True) as clip:
            for number, _ in enumerate(open_video(tmp_path / "source.mp4").frames()):
                clip.write(frames[number], number / 25)
        files.add((tmp_path / "clip.mp4").read_bytes())
    assert len(files) == 1
