"""Images, folders and videos of the user as items of a trained run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.files.videos import VIDEO_SUFFIXES, open_video
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.samples import Array, Instance, Item, Sample

Boxes = dict[str, list[tuple[Array, float]]]


@dataclass(frozen=True, eq=False)
class Source:
    """What to predict on.

    Attributes:
        path: As the user gave it.
        num_samples: Number of images or frames.
        frame_rate: Frames per second of a video; None for images.
        samples: Yields them in order, in constant memory.
    """

    path: Path
    num_samples: int
    frame_rate: float | None
    reader: FolderReader | VideoReader | None

    def samples(self) -> Iterator[Sample]:
        if self.reader is None:
            yield Sample(self.path.name, image_size(self.path), lambda: read_image(self.path), path=str(self.path))
        elif isinstance(self.reader, VideoReader):
            yield from self.reader.frames()
        else:
            yield from self.reader


def open_source(path: Path) -> Source:
    """An image, a folder of images, or a video. Raises DataError for anything else."""
    if path.is_dir():
        reader = FolderReader(path)
        return Source(path, len(reader), None, reader)
    if not path.is_file():
        raise DataError("there is no such image, folder or video", where=path)
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        video = VideoReader(path)
        return Source(path, len(video), float(open_video(path).rate), video)
    if suffix in IMAGE_SUFFIXES:
        image_size(path)
        return Source(path, 1, None, None)
    raise DataError(
        "neither an image nor a video",
        where=path,
        choices=sorted({*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}),
        hint="convert it to one of these",
    )


def read_boxes(path: Path) -> Boxes:
    """Boxes of a detections file: a json list of {"file_name", "bbox": [x, y, width, height], "score"}.

    `file_name` is the image's path relative to the folder that is predicted on, or its bare name.

    Raises:
        DataError: Naming the first entry that is no such box.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DataError("a detections file is a json list", where=path)
    boxes: Boxes = {}
    for number, entry in enumerate(entries):
        try:
            x, y, width, height = (float(value) for value in entry["bbox"])
            name, score = str(entry["file_name"]), float(entry.get("score", 1.0))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"entry {number} is no detection: {error!r}",
                where=path,
                hint='each entry is {"file_name": ..., "bbox": [x, y, width, height], "score": ...}',
            ) from error
        boxes.setdefault(name, []).append((np.array([x, y, x + width, y + height]), score))
    return boxes


def head_items(sample: Sample, boxes: Boxes) -> list[Item]:
    """One gaze item per head box of the image."""
    found = boxes.get(sample.key, boxes.get(Path(sample.key).name, []))
    people = tuple(Instance("person", head_box=box, confidence=score) for box, score in found)
    asked = replace(sample, instances=people)
    return [Item((asked, asked), instance=number) for number in range(len(people))]


def items_of(sample: Sample, boxes: Boxes | None) -> list[Item]:
    """One item per box of the image, or one about the whole image (as its only subject) where no boxes are given."""
    height, width = sample.size
    if boxes is None:
        found = [(np.array([0.0, 0.0, width, height]), 1.0)]
    else:
        found = boxes.get(sample.key, boxes.get(Path(sample.key).name, []))
    instances = tuple(Instance(box=box, confidence=score) for box, score in found)
    asked = replace(sample, instances=instances)
    return [Item((asked,), instance=number) for number in range(len(instances))]
