"""Inputs of labelling jobs: images, folders, videos, or any data set, each image with where it is and what it holds."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from gensight.errors import DataError
from gensight.files.hashing import file_hash, value_hash
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.files.videos import VIDEO_SUFFIXES
from gensight.readers.annotated.reader import AnnotatedReader, is_annotated, read_description
from gensight.readers.base import Reader
from gensight.readers.footage.recordings import video_files
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.samples import Sample

Kind = Literal["images", "frames", "video", "videos", "data", "copies"]


@dataclass(frozen=True)
class ImageLocation:
    """Where an image lies: a file, a frame of a video file, or nowhere on disk (both None)."""

    path: Path | None = None
    frame: int | None = None


class LabellingSource:
    """A sequence of images to label, in a fixed order; picklable.

    Attributes:
        kind: `images`: single files; `frames`: files, each folder of them being a video; `video`, `videos`: all
            frames; `data`: a data set, whose own labels are taken over.
        root: Folder that `ImageLocation` paths lie below; None where the images are nowhere on disk.
        settings: What else `dataset.json` keeps, so that the source can be opened again.
        keys: Of all images.
        has_labels: Whether its samples have labels that the data set takes over.
    """

    kind: Kind
    root: Path | None
    settings: dict[str, Any]
    keys: Sequence[str]
    has_labels: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    def sample(self, index: int) -> Sample:
        """Raises DataError if the image's header can't be read."""
        raise NotImplementedError

    def place(self, index: int, sample: Sample | None = None) -> ImageLocation:
        raise NotImplementedError

    @property
    def groups(self) -> list[str]:
        """Video, subject or scene of each image, without opening it."""
        raise NotImplementedError

    def described(self, out: Path) -> dict[str, Any]:
        """The `source` entry of `dataset.json`: paths relative to the data set's folder."""
        root = "." if self.root is None else Path(os.path.relpath(self.root.resolve(), out.resolve())).as_posix()
        return {"kind": self.kind, "root": root, **self.settings}


class ImageFiles(LabellingSource):
    """Image files below a folder; with `frames` each folder of them is a video."""

    def __init__(self, root: Path, keys: Sequence[str], frames: bool = False, single: bool = False) -> None:
        self.kind = "frames" if frames else "images"
        self.root, self.keys = root, list(keys)
        self.settings = {"file": self.keys[0]} if single else {}

    def sample(self, index: int) -> Sample:
        place = self.place(index)
        assert place.path is not None
        read = _Read(place.path)
        return Sample(self.keys[index], image_size(place.path), read, group=self._group(index), path=str(place.path))

    def _group(self, index: int) -> str:
        return Path(self.keys[index]).parent.as_posix() if self.kind == "frames" else self.keys[index]

    def place(self, index: int, sample: Sample | None = None) -> ImageLocation:
        assert self.root is not None
        return ImageLocation(self.root / self.keys[index])

    @property
    def groups(self) -> list[str]:
        return [self._group(index) for index in range(len(self))]


@dataclass(frozen=True)
class _Read:
    path: Path

    def __call__(self) -> Any:
        return read_image(self.path)


class VideoFiles(LabellingSource):
    """The frames of videos, each of which is a group."""

    def __init__(self, root: Path, videos: Sequence[VideoReader], step: int, single: bool) -> None:
        self.kind = "video" if single else "videos"
        self.root, self.videos = root, list(videos)
        self.settings = ({"file": self.videos[0].path.name} if single else {}) | {"step": step}
        self._ends = list(accumulate(len(video) for video in self.videos))
        self._prefixes = [_parent(video.path.relative_to(root)) for video in self.videos]
        self.keys = [f"{prefix}{video._key(number * step)}"
                     for prefix, video in zip(self._prefixes, self.videos, strict=True)
                     for number in range(len(video))]  # fmt: skip

    def _video(self, index: int) -> tuple[int, int]:
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)

    def sample(self, index: int) -> Sample:
        number, place = self._video(index)
        sample = self.videos[number].sample(place)
        return Sample(self.keys[index], sample.size, sample.image, group=self._prefixes[number] + sample.group)

    def place(self, index: int, sample: Sample | None = None) -> ImageLocation:
        number, place = self._video(index)
        return ImageLocation(self.videos[number].path, place * self.videos[number].step)

    @property
    def groups(self) -> list[str]:
        return [self._prefixes[number] + group for number, video in enumerate(self.videos) for group in video.groups]


def _parent(path: Path) -> str:
    parent = path.parent.as_posix()
    return "" if parent == "." else f"{parent}/"


def _absolute(path: Path) -> Path:
    """Without `..`, and without following links, which may lead out of the root."""
    return Path(os.path.abspath(path))  # noqa: PTH100


class DataSource(LabellingSource):
    """Any readers' samples, with the labels that they have; images that are no files are copied.

    Args:
        readers: One after the other; their keys must differ.
        settings: Identifies this data, for `dataset.json`.
    """

    has_labels = True

    def __init__(self, readers: Sequence[Reader], settings: dict[str, Any] | None = None) -> None:
        self.kind, self.settings = "data", dict(settings or {})
        self.readers = [reader for reader in readers if len(reader)]
        self._ends = list(accumulate(len(reader) for reader in self.readers))
        self.keys = [sample.key for reader in self.readers for sample in reader]
        paths = [sample.path for reader in self.readers for sample in reader]
        known = [_absolute(Path(path)) for path in paths if path is not None]
        self.root = Path(os.path.commonpath([path.parent for path in known])) if len(known) == len(paths) else None

    def sample(self, index: int) -> Sample:
        number = bisect_right(self._ends, index)
        return self.readers[number].sample(index - (self._ends[number - 1] if number else 0))

    def place(self, index: int, sample: Sample | None = None) -> ImageLocation:
        sample = sample or self.sample(index)
        return (
            ImageLocation() if self.root is None or sample.path is None else ImageLocation(_absolute(Path(sample.path)))
        )

    @property
    def groups(self) -> list[str]:
        return [group for reader in self.readers for group in reader.groups]


def open_source(path: Path, frames: bool = False, step: int = 1) -> LabellingSource:
    """An image, a folder of images, a video, a folder of videos, or the source of an annotated data set.

    Args:
        path: What to label. A folder with images is one of images, whatever else lies there.
        frames: Whether the images of one folder are the frames of one video.
        step: Takes every k-th frame of videos.

    Raises:
        DataError: It is none of these, or holds nothing.
    """
    if is_annotated(path):
        return _reopened(path)
    if path.is_dir():
        try:
            return ImageFiles(path, FolderReader(path).groups, frames)
        except DataError:
            if not any(found.suffix.lower() in VIDEO_SUFFIXES for found in path.rglob("*")):
                raise
        return VideoFiles(path, [VideoReader(video, step) for video in video_files(path)], step, single=False)
    if not path.is_file():
        raise DataError("there is no such image, folder or video", where=path)
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return VideoFiles(path.parent, [VideoReader(path, step)], step, single=True)
    if suffix in IMAGE_SUFFIXES:
        return ImageFiles(path.parent, [path.name], single=True)
    raise DataError("neither an image nor a video", where=path, choices=sorted({*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}),
                    hint="convert it to one of these")  # fmt: skip


def _reopened(folder: Path) -> LabellingSource:
    """What a data set was made from."""
    source = read_description(folder)["source"]
    root = folder / source["root"]
    match source["kind"]:
        case "images" | "frames" | "video" | "videos":
            path = root / source["file"] if "file" in source else root
            return open_source(path, source["kind"] == "frames", source.get("step", 1))
        case _:
            return AnnotatedSource(AnnotatedReader(folder), source)


class AnnotatedSource(DataSource):
    """The images of an annotated data set whose own source can't be opened by its path alone."""

    has_labels = False  # they are in the data set already

    def __init__(self, reader: AnnotatedReader, description: dict[str, Any]) -> None:
        super().__init__([reader])
        self.reader = reader
        self.kind, self.description = description["kind"], description
        self.root = _absolute(reader.images)

    def described(self, out: Path) -> dict[str, Any]:
        return self.description

    def place(self, index: int, sample: Sample | None = None) -> ImageLocation:
        image = self.reader.row(index)["image"]
        return ImageLocation() if "copy" in image else ImageLocation(_absolute(self.reader.images / image["file"]))


def image_identity(place: ImageLocation) -> dict[str, Any]:
    """Identity of an image file, to see whether it changed: its content's hash, size and time of change.

    Raises:
        DataError: The file can't be read.
    """
    assert place.path is not None
    size, modified = file_state(place.path)
    content = _hash(place.path, size, modified)
    if place.frame is not None:
        content = value_hash([content, place.frame])
    return {"sha256": content, "bytes": size, "modified": modified}


def file_state(path: Path) -> tuple[int, int]:
    """(bytes, nanoseconds of the last change). DataError if the file is gone."""
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=8)
def _hash(path: Path, size: int, modified: int) -> str:
    return file_hash(path)


def is_unchanged(place: ImageLocation, known: dict[str, Any]) -> bool:
    """Whether the image is the one that `image_identity` described; images on no disk never change."""
    if place.path is None:
        return True
    size, modified = file_state(place.path)
    if size != known.get("bytes"):
        return False
    return modified == known.get("modified") or image_identity(place)["sha256"] == known.get("sha256")
