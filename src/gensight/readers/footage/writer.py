"""Writes scenes in motion as videos, for every command that takes videos."""

from contextlib import ExitStack
from pathlib import Path

from gensight.files.progress import progress
from gensight.files.videos.writing import VideoWriter
from gensight.readers.base import Reader

RATE = 12  # frames per second


def write_videos(reader: Reader, folder: Path) -> None:
    """One mp4 for each run of samples of one group, `scene-0000.mp4` and so on; labels are not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    number, group = 0, None
    with ExitStack() as stack:
        for sample in progress((reader[index] for index in range(len(reader))), len(reader), "write", "frames"):
            if number == 0 or sample.group != group:
                stack.close()  # the file of the scene before
                path = folder / f"scene-{number:04d}.mp4"
                video = stack.enter_context(VideoWriter(path, RATE))
                number, group = number + 1, sample.group
            video.write(sample.image())
