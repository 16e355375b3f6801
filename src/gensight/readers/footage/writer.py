"""Writes scenes in motion as videos, for every command that takes videos."""

from contextlib import ExitStack
from pathlib import Path

from gensight.files.atomic import write_json
from gensight.files.progress import progress
from gensight.files.videos.reading import frame_key
from gensight.files.videos.writing import VideoWriter
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
                    sides = [*one.box[:2], *(one.box[2:] - one.box[:2])]
                    boxes.append(
                        {"file_name": frame_key(path.name, frame), "bbox": [round(float(v), 2) for v in sides]}
                    )
            frame += 1
    write_json(folder / "boxes.json", boxes)
