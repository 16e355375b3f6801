"""Images, folders, videos and arrays of the user as samples, and boxes from files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.files.videos import VIDEO_SUFFIXES, open_video
from gensight.prediction.pixels import rgb_pixels
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.samples import Array, Sample

T = TypeVar("T")
Boxes = dict[str, list[tuple[Array, float]]]
Image = str | Path | Array  # a file, or pixels as `rgb_pixels` takes them
BOX_ENTRY = '{"file_name": ..., "bbox": [x, y, width, height], "score": ...}'  # of a detections file
GivenBoxes = Array | Sequence[Any] | Mapping[str, Any]  # see `boxes_by_key`


@dataclass(frozen=True, eq=False)
class PredictionSource:
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

    @property
    def unit(self) -> str:
        """The samples, for progress lines: `images` or `frames`."""
        return "images" if self.frame_rate is None else "frames"

    def samples(self) -> Iterator[Sample]:
        if self.reader is None:
            yield _sample(self.path, self.path.name)
        elif isinstance(self.reader, VideoReader):
            yield from self.reader.frames()
        else:
            yield from self.reader


def open_source(path: Path) -> PredictionSource:
    """An image, a folder of images, or a video. Raises DataError for anything else."""
    if path.is_dir():
        reader = FolderReader(path)
        return PredictionSource(path, len(reader), None, reader)
    if not path.is_file():
        raise DataError("there is no such image, folder or video", where=path)
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        video = VideoReader(path)
        return PredictionSource(path, len(video), float(open_video(path).rate), video)
    if suffix in IMAGE_SUFFIXES:
        image_size(path)
        return PredictionSource(path, 1, None, None)
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
    boxes: Boxes = {}
    for name, box in read_entries(
        path,
        lambda entry: (str(entry["file_name"]), (entry_box(entry), float(entry.get("score", 1.0)))),
        BOX_ENTRY,
    ):
        boxes.setdefault(name, []).append(box)
    return boxes


def read_entries(path: Path, read: Callable[[Any], T], example: str) -> list[T]:
    """What `read` makes of each entry of a detections file; `example` is one. Raises DataError naming the first bad."""
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DataError("a detections file is a json list", where=path, hint=f"each entry is {example}")
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"entry {number} is no detection: {error!r}"
            raise DataError(what, where=path, hint=f"each entry is {example}") from error
    return found


def entry_box(entry: Any) -> Array:
    """float64 (4,): x_min, y_min, x_max, y_max of an entry's `bbox`."""
    x, y, width, height = (float(value) for value in entry["bbox"])
    if not np.isfinite((x, y, width, height)).all():
        raise ValueError("a bbox that is not finite")
    return np.array([x, y, x + width, y + height])


def open_images(images: Image | Sequence[Image]) -> tuple[Iterable[Sample], list[str] | None]:
    """Samples of what a Python user gives, and their keys where those are known beforehand.

    Args:
        images: A path (image, folder or video), an array, or a list of image paths and arrays. The key of an array is
            `image`, in a list its number; the key of a path is its name. Frames and files of folders are read one by
            one, and their keys (None) are those that `gensight predict` writes.

    Raises:
        DataError: No such file, or an array that is no image.
    """
    if isinstance(images, str | Path):
        source = open_source(Path(images))
        return source.samples(), [source.path.name] if source.reader is None else None
    if isinstance(images, np.ndarray):
        return [_sample(images, "image")], ["image"]
    if not isinstance(images, list | tuple):
        hint = "give a path, a numpy array, or a list of these"
        raise DataError(f"a {type(images).__name__} is no image", hint=hint)
    keys = [Path(one).name if isinstance(one, str | Path) else str(place) for place, one in enumerate(images)]
    if len(set(keys)) < len(keys):
        keys = [f"{place}-{key}" for place, key in enumerate(keys)]
    return [_sample(one, key) for one, key in zip(images, keys, strict=True)], keys


def _sample(image: Image, key: str) -> Sample:
    if isinstance(image, str | Path):
        path = Path(image)
        return Sample(key, image_size(path), partial(read_image, path), path=str(path))
    pixels = rgb_pixels(image, key)
    return Sample(key, (pixels.shape[0], pixels.shape[1]), lambda: pixels)


def boxes_by_key(boxes: GivenBoxes | None, keys: Sequence[str] | None) -> Boxes | None:
    """Boxes that a Python user gives, by the keys of their samples; each with a score of 1.

    Args:
        boxes: Of one image (4,) or (num, 4), x_min, y_min, x_max, y_max in pixels; of several images a list of these,
            one per image, or a mapping from their keys.
        keys: Of the images; None where they are not known beforehand.

    Raises:
        DataError: No boxes, or not as many as there are images.
    """
    if boxes is None:
        return None
    if isinstance(boxes, Mapping):
        return {key: _boxes(values, key) for key, values in boxes.items()}
    if keys is None:
        raise DataError("boxes of a folder or a video need the names of the images", where="boxes",
                        hint="give a mapping: image name -> (num, 4)")  # fmt: skip
    given = [boxes] if len(keys) == 1 else list(boxes)
    if len(given) != len(keys):
        raise DataError(f"boxes of {len(given)} images for {len(keys)} images", where="boxes",
                        hint="give one (num, 4) per image, or a mapping: image name -> (num, 4)")  # fmt: skip
    return {key: _boxes(values, key) for key, values in zip(keys, given, strict=True)}


def _boxes(values: Any, key: str) -> list[tuple[Array, float]]:
    array = np.asarray(values, dtype=np.float64)
    if array.size % 4 or array.ndim > 3 or (array.size and array.shape[-1] != 4) or not np.isfinite(array).all():
        raise DataError(f"boxes of shape {array.shape} are no boxes", where=key,
                        hint="a box is x_min, y_min, x_max, y_max in pixels")  # fmt: skip
    return [(box, 1.0) for box in array.reshape(-1, 4)]
