"""Inputs of labelling jobs: images, folders, videos, or any data set, each image with where it is and what it holds."""

import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from gensight.errors import DataError
from gensight.files.atomic import named_path, readable
from gensight.files.hashing import file_hash, value_hash
from gensight.prediction.sources import open_source as open_single
from gensight.readers.annotated.reader import AnnotatedReader, is_annotated, read_description
from gensight.readers.base import Reader
from gensight.readers.footage.recordings import video_files
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.readers.shared.listings import image_sample
from gensight.samples import Sample

Kind = Literal["images", "frames", "video", "videos", "data", "copies"]


@dataclass(frozen=True)
class ImageLocation:
    """Where an image lies: a file, a frame of a video file, or nowhere on disk (both None)."""

    path: Path | None = None
    frame: int | None = None


class LabellingSource(ABC):
    """A sequence of images to label, in a fixed order; picklable.

    Attributes:
        kind: `images`: single files; `frames`: files, each folder of them being a video; `video`, `videos`: all
            frames; `data`: a data set, whose own labels are taken over.
        root: Folder that `ImageLocation` paths lie below; None where the images are nowhere on disk.
        settings: What else `dataset.json` keeps, so that the source can be opened again.
        keys: Of all images.
        groups: Video, subject or scene of each image.
        has_labels: Whether its samples have labels that the data set takes over.
    """

    kind: Kind
    root: Path | None
    settings: dict[str, Any]
    keys: list[str]
    groups: list[str]
    has_labels: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """Raises DataError if the image's header can't be read."""

    @abstractmethod
    def place(self, index: int) -> ImageLocation: ...

    def described(self, out: Path) -> dict[str, Any]:
        """The `source` entry of `dataset.json`: paths relative to the data set's folder."""
        root = "." if self.root is None else Path(os.path.relpath(self.root.resolve(), out.resolve())).as_posix()
        return {"kind": self.kind, "root": root, **self.settings}


class ImageFiles(LabellingSource):
    """Image files below a folder, or one of them; with `frames` each folder of them is a video."""

    def __init__(self, root: Path, reader: FolderReader | str, frames: bool = False) -> None:
        self.kind, self.folder, self.root = "frames" if frames else "images", root, root
        self.reader = None if isinstance(reader, str) else reader
        self.keys = [readable(reader)] if isinstance(reader, str) else reader.groups
        self.groups = [Path(key).parent.as_posix() for key in self.keys] if frames else self.keys
        self.settings = {"file": readable(reader)} if isinstance(reader, str) else {}

    def sample(self, index: int) -> Sample:
        own = named_path(self.folder, self.keys[0])
        sample = image_sample(self.keys[0], own) if self.reader is None else self.reader.sample(index)
        return replace(sample, group=self.groups[index])

    def place(self, index: int) -> ImageLocation:
        own = named_path(self.folder, self.keys[0]), None
        return ImageLocation(*(own if self.reader is None else self.reader.location(index)))


class _Joined(LabellingSource):
    """Several readers, one after the other."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = list(readers)
        self.groups = [group for reader in readers for group in reader.groups]
        self._ends = list(accumulate(len(reader) for reader in readers))

    def _locate(self, index: int) -> tuple[Reader, int]:
        number = bisect_right(self._ends, index)
        return self.readers[number], index - (self._ends[number - 1] if number else 0)

    def sample(self, index: int) -> Sample:
        reader, place = self._locate(index)
        return reader.sample(place)


class VideoFiles(_Joined):
    """The frames of videos, each of which is a group; keys and groups begin with the folder that a video lies in."""

    def __init__(self, root: Path, videos: Sequence[VideoReader], step: int, single: bool) -> None:
        super().__init__(videos)
        self.kind, self.root = "video" if single else "videos", root
        self.settings = ({"file": readable(videos[0].path.name)} if single else {}) | {"step": step}
        folders = [video.path.relative_to(root).parent for video in videos for _ in video.groups]
        names = [video._key(number * step) for video in videos for number in range(len(video))]
        self.keys = [(folder / name).as_posix() for folder, name in zip(folders, names, strict=True)]
        self.groups = [(folder / group).as_posix() for folder, group in zip(folders, self.groups, strict=True)]

    def sample(self, index: int) -> Sample:
        return replace(super().sample(index), key=self.keys[index], group=self.groups[index])

    def place(self, index: int) -> ImageLocation:
        video, place = self._locate(index)
        assert isinstance(video, VideoReader)
        return ImageLocation(video.path, place * video.step)


def _absolute(path: str | Path) -> Path:
    """Without `..`, and without following links, which may lead out of the root."""
    return Path(os.path.abspath(path))  # noqa: PTH100


class DataSource(_Joined):
    """Any readers' samples, with the labels that they have; images that are no files are copied.

    Args:
        readers: One after the other; their keys must differ.
        settings: Identifies this data, for `dataset.json`.
    """

    has_labels = True

    def __init__(self, readers: Sequence[Reader], settings: dict[str, Any] | None = None) -> None:
        super().__init__([reader for reader in readers if len(reader)])
        self.kind, self.settings = "data", dict(settings or {})
        known = [(sample.key, sample.path) for reader in self.readers for sample in reader]
        self.keys = [key for key, _ in known]
        paths = [_absolute(path) for _, path in known if path is not None]
        self.root = Path(os.path.commonpath([path.parent for path in paths])) if len(paths) == len(known) else None

    def place(self, index: int) -> ImageLocation:
        path = self.sample(index).path
        return ImageLocation() if self.root is None or path is None else ImageLocation(_absolute(path))


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

    def place(self, index: int) -> ImageLocation:
        image = self.reader.row(index)["image"]
        return (
            ImageLocation()
            if "copy" in image
            else ImageLocation(_absolute(named_path(self.reader.images, image["file"])))
        )


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
            return ImageFiles(path, FolderReader(path), frames)
        except DataError:
            if not (videos := video_files(path)):
                raise
        return VideoFiles(path, [VideoReader(video, step) for video in videos], step, single=False)
    if open_single(path).frame_rate is not None:
        return VideoFiles(path.parent, [VideoReader(path, step)], step, single=True)
    return ImageFiles(path.parent, path.name)


def _reopened(folder: Path) -> LabellingSource:
    """What a data set was made from."""
    source = read_description(folder)["source"]
    root = folder / source["root"]
    match source["kind"]:
        case "images" | "frames" | "video" | "videos":
            path = named_path(root, source["file"]) if "file" in source else root
            return open_source(path, source["kind"] == "frames", source.get("step", 1))
        case _:
            return AnnotatedSource(AnnotatedReader(folder), source)


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
