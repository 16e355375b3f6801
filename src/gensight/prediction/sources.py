"""Images, folders, videos and arrays of the user as samples, and boxes from files."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from gensight.errors import BrokenImageError, DataError
from gensight.files.atomic import fitting_name, read_json, readable
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.files.videos.reading import VIDEO_SUFFIXES, is_video, open_video
from gensight.prediction.pixels import rgb_pixels
from gensight.readers.base import Reader
from gensight.readers.footage.recordings import has_images, video_files
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.samples import Array, Sample, Size

T = TypeVar("T")
Boxes = dict[str, list[tuple[Array, float]]]
Image = str | Path | Array  # a file, or pixels as `rgb_pixels` takes them
BOX_ENTRY = '{"file_name": ..., "bbox": [x, y, width, height], "score": ...}'  # of a detections file
_A_BOX = "a box is x_min, y_min, x_max, y_max in pixels"
_ROOM = 200  # bytes of a file's name, so that the rest is left for what is added to it
GivenBoxes = Any  # an array, a tensor, nested lists, or a mapping to these; see `boxes_by_key`


class GivenImages(Reader):
    """Image files in the order in which they are given. Keys are their names; paths, where a name comes twice.

    Args:
        paths: Of the files.
    """

    name = "images"

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        names = [readable(path.name) for path in paths]
        if len(set(names)) < len(names):
            above = os.path.commonpath([path.resolve().parent for path in paths])
            names = [readable(path.resolve().relative_to(above).as_posix()) for path in paths]
        self.keys = names

    def __len__(self) -> int:
        return len(self.paths)

    def sample(self, index: int) -> Sample:
        return _sample(self.paths[index], self.keys[index])


@dataclass(frozen=True, eq=False)
class Reading:
    """One image or frame of a source: decoded, or the reason why it could not be.

    Attributes:
        index: Place in the source.
        key: Of the sample.
        size: (height, width); zeros where unknown.
        sample: With decoded pixels; None where they can't be read.
        problem: Why not.
    """

    index: int
    key: str
    size: Size
    sample: Sample | None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class PredictionSource:
    """What to predict on.

    Attributes:
        path: As the user gave it.
        num_samples: Number of images or frames.
        frame_rate: Frames per second of a video; None for images.
        reader: Its images.
        name: Folder of its predictions below the one of all sources; empty where it is the only one.
    """

    path: Path
    num_samples: int
    frame_rate: float | None
    reader: FolderReader | VideoReader | GivenImages
    name: str = ""

    @property
    def unit(self) -> str:
        """The samples, for progress lines: `images` or `frames`."""
        return "images" if self.frame_rate is None else "frames"

    @cached_property
    def keys(self) -> Sequence[str]:
        """Of all samples; a video's follow from their number."""
        match self.reader:
            case VideoReader():
                return _FrameKeys(self.reader)
            case GivenImages():
                return self.reader.keys
        return self.reader.groups

    @cached_property
    def times(self) -> list[float] | None:
        """When each frame of a video is shown, in seconds; None for images."""
        return None if self.frame_rate is None else open_video(self.path).seconds.round(6).tolist()

    def file_stem(self, index: int) -> str:
        """What the files of one image are named by: its key without the suffix, a frame's number in its video."""
        key = self.keys[index]
        if self.frame_rate is not None:
            return key.rpartition("#")[2]
        stem = without_suffix(key)
        parts = PurePosixPath(key if self._stems[stem] > 1 else stem).parts
        return "/".join(fitting_name(part, _ROOM) for part in parts)

    @cached_property
    def _stems(self) -> Counter[str]:
        return Counter(without_suffix(key) for key in self.keys)

    def samples(self) -> Iterator[Sample]:
        """In order, in constant memory. Raises DataError at the first that can't be read."""
        yield from self.reader.frames() if isinstance(self.reader, VideoReader) else self.reader

    def read(self, span: range) -> Iterator[Reading]:
        """The samples of a span, decoded; what can't be read takes its place with the reason."""
        if isinstance(self.reader, VideoReader):
            yield from _read_video(self.reader, span)
            return
        for index in span:
            key, size = self.keys[index], (0, 0)
            try:
                sample = self.reader.sample(index)
                size, pixels = sample.size, sample.image()
            except DataError as error:
                yield Reading(index, key, size, None, error.what)
                continue
            yield Reading(index, key, size, replace(sample, image=partial(np.asarray, pixels)))

    def fingerprint(self) -> list[Any]:
        """Changes with the files."""
        match self.reader:
            case VideoReader():
                paths = [self.path]
            case GivenImages():
                paths = self.reader.paths
            case _:
                paths = [self.reader.location(index)[0] for index in range(len(self.reader))]
        digest = hashlib.sha256()
        for path in paths:
            found = path.stat() if path.exists() else None
            digest.update(f"{path.name} {found and (found.st_size, found.st_mtime_ns)}\n".encode("utf-8", "replace"))
        return [str(self.path.resolve()), self.num_samples, self.name, digest.hexdigest()]


class _FrameKeys(Sequence[str]):
    def __init__(self, video: VideoReader) -> None:
        self.video = video

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, index: Any) -> Any:
        return self.video._key(index * self.video.step)


def _read_video(video: VideoReader, span: range) -> Iterator[Reading]:
    """Frames in order, with a problem in the place of each that can't be decoded."""
    for index, frame in open_video(video.path).frames_or_errors(span.start, span.stop):
        key = video._key(index)
        if isinstance(frame, BrokenImageError):
            yield Reading(index, key, video.size, None, frame.what)
        else:
            read = partial(np.asarray, frame)
            yield Reading(index, key, video.size, Sample(key, video.size, read, group=video.path.name))


def without_suffix(key: str) -> str:
    """A key without the suffix of an image file."""
    path = PurePosixPath(key)
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGE_SUFFIXES else key


def open_source(path: Path) -> PredictionSource:
    """An image, a folder of images, or a video. Raises DataError for anything else."""
    if path.is_dir():
        reader = FolderReader(path)
        return PredictionSource(path, len(reader), None, reader)
    if not path.is_file():
        raise DataError("there is no such image, folder or video", where=path)
    suffix = path.suffix.lower()
    if is_video(path):
        video = VideoReader(path)
        return PredictionSource(path, len(video), float(open_video(path).rate), video)
    if suffix in IMAGE_SUFFIXES:
        image_size(path)
        return PredictionSource(path, 1, None, GivenImages([path]))
    raise DataError(
        "neither an image nor a video",
        where=path,
        choices=sorted({*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}),
        hint="convert it to one of these",
    )


def open_sources(paths: Sequence[Path]) -> tuple[list[PredictionSource], dict[str, str]]:
    """Images, folders of images or of videos, and videos; and the videos that can't be opened, with the reason.

    Images that are given one by one are one source; so are those of a folder, and each video. Where there are several,
    or a folder of videos, each has a name of its own.

    Raises:
        DataError: Something is missing or of no known kind, or nothing at all can be opened.
    """
    if len(paths) == 1 and not paths[0].is_dir():
        return [open_source(paths[0])], {}
    sources: list[PredictionSource] = []
    problems: dict[str, str] = {}
    single = [path for path in paths if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES]
    if single:
        sources.append(PredictionSource(single[0].parent, len(single), None, GivenImages(single), "images"))
    by_folder = False
    for path in paths:
        if path in single:
            continue
        videos = video_files(path) if path.is_dir() else []
        by_folder |= bool(videos)
        if path.is_dir() and (not videos or has_images(path)):
            sources.append(replace(open_source(path), name=path.resolve().name))
        for video in videos or ([] if path.is_dir() else [path]):
            try:
                relative = video.relative_to(path).with_suffix("").as_posix() if videos else video.stem
                sources.append(replace(open_source(video), name=relative))
            except DataError as error:
                if not video.exists() or video.suffix.lower() not in VIDEO_SUFFIXES:
                    raise
                problems[str(video)] = error.what
    if not sources:
        raise DataError("no video can be read", where=next(iter(problems), None), hint="replace the files")
    if len(sources) == 1 and not by_folder and not problems:
        return [replace(sources[0], name="")], problems
    taken: Counter[str] = Counter()
    for number, source in enumerate(sources):
        taken[source.name] += 1
        if taken[source.name] > 1:
            sources[number] = replace(source, name=f"{source.name}-{taken[source.name]}")
    return sources, problems


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
        return source.samples(), source.reader.keys if isinstance(source.reader, GivenImages) else None
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


def boxes_by_key(boxes: GivenBoxes | None, keys: Sequence[str] | None, where: str = "boxes") -> Boxes | None:
    """Boxes that a Python user gives, by the keys of their samples; each with a score of 1.

    Args:
        boxes: Of one image (4,) or (num, 4), x_min, y_min, x_max, y_max in pixels; of several images a list of these,
            one per image, or a mapping from their keys.
        keys: Of the images; None where they are not known beforehand.
        where: Name of the argument, for messages.

    Raises:
        DataError: No boxes, or not as many as there are images.
    """
    if boxes is None:
        return None
    if isinstance(boxes, Mapping):
        return {str(key): _boxes(values, f"{where}, {key}") for key, values in boxes.items()}
    if keys is None:
        raise DataError("boxes of a folder or a video need the names of the images", where=where,
                        hint="give a mapping: image name -> (num, 4)")  # fmt: skip
    if len(keys) > 1 and not isinstance(boxes, list | tuple | np.ndarray):
        boxes = list(_numbers(boxes, where))
    given = [boxes] if len(keys) == 1 else list(boxes)
    if len(given) != len(keys):
        raise DataError(f"boxes of {len(given)} images for {len(keys)} images", where=where,
                        hint="give one (num, 4) per image, or a mapping: image name -> (num, 4)")  # fmt: skip
    return {key: _boxes(values, f"{where}, {key}") for key, values in zip(keys, given, strict=True)}


def _boxes(values: Any, where: str) -> list[tuple[Array, float]]:
    array = _numbers(values, where)
    lone = array.ndim == 3 and len(array) == 1  # the boxes of a list of one image
    if array.size and (array.shape[-1:] != (4,) or not (array.ndim <= 2 or lone)):
        raise DataError(
            f"boxes of shape {array.shape} are no boxes", where=where, choices=["(num, 4)", "(4,)"], hint=_A_BOX
        )
    if not np.isfinite(array).all():
        raise DataError("a box that is not finite", where=where, hint=f"{_A_BOX}; leave out what has no box")
    return [(box, 1.0) for box in array.reshape(-1, 4)]


def _numbers(values: Any, where: str) -> Array:
    """float64, of an array, a tensor or nested lists; no truth values, texts or complex numbers."""
    try:
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (TypeError, ValueError) as error:
        raise DataError(f"no array of boxes: {error}", where=where, hint=_A_BOX) from error
    if array.dtype.kind not in "iuf" and array.size:
        raise DataError(f"boxes of {array.dtype}, not of numbers", where=where, hint=_A_BOX)
    return array.astype(np.float64)
