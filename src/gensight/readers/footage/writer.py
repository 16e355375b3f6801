"""Writes scenes in motion as videos, for every command that takes videos."""

from contextlib import ExitStack
from pathlib import Path

from gensight.files.atomic import write_json
from gensight.files.progress import progress
from gensight.files.videos.reading import frame_key
from gensight.files.videos.writing import VideoWriter
from gensight.geometry import box_size
from gensight.readers.base import Reader

RATE = 12  # frames per second


def write_videos(reader: Reader, folder: Path) -> None:
    """One mp4 for each run of samples of one group, `scene-0000.mp4` and so on, and boxes.json: where the subjects are,
    for `gensight predict --boxes`. Other labels are not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    number, frame, group, boxes = 0, 0, None, []
    with ExitStack() as stack:
        for sample in progress((reader[index] for index in range(len(reader))), len(reader), "write", "frames"):
            if number == 0 or sample.group != group:
                stack.close()  # the file of the scene before
                path = folder / f"scene-{number:04d}.mp4"
                video = stack.enter_context(VideoWriter(path, RATE))
                number, frame, group = number + 1, 0, sample.group
            video.write(sample.image())
            for one in sample.instances or ():
                if one.box is not None:
                    sides = [round(float(value), 2) for value in (*one.box[:2], *box_size(one.box))]
                    boxes.append({"file_name": frame_key(path.name, frame), "bbox": sides})
            frame += 1
    write_json(folder / "boxes.json", boxes)
