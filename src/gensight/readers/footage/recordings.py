"""Footage of a subject: videos and folders of frames together, without labels."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from gensight.errors import DataError
from gensight.files.progress import progress
from gensight.files.videos.reading import VIDEO_SUFFIXES
from gensight.readers.base import Reader
from gensight.readers.footage.video import VideoReader
from gensight.readers.images.folder import FolderReader
from gensight.readers.shared.listings import image_files, require_folder
from gensight.samples import Array, Sample, Size


class FootageReader(Reader):
    """All videos of a folder and below it, then all images. A video is a group, and so is each folder of images.

    Keys are paths from the root, of a video's frames with their number: `day-1/video.mp4#000012`, `frames/img001.png`.

    Args:
        root: The folder, or one video.
        step: Take every k-th frame of each video, and of each folder (k = step).
        long_side: Frames are downscaled to this many pixels along their longer side; those of videos are then decoded
            once, in order, and kept in memory. None: original size, each decoded on access, which is slow in random
            order.
        images: Whether folders of images are read too.

    Raises:
        DataError: The root is missing or holds nothing that can be read, or `step` is less than 1.
    """

    name = "footage"

    def __init__(self, root: str | Path, step: int = 1, long_side: int | None = None, images: bool = True) -> None:
        if step < 1:
            raise DataError(f"a step of {step} frames is too small", where=root, hint="choose 1 or more")
        self._root, self._long_side = Path(root), long_side
        self._readers: list[Reader] = []
        self._places: list[tuple[int, int, str, str]] = []  # reader, index in it, folder of its keys, group
        for path in video_files(self._root) if self._root.is_dir() or not images else [self._root]:
            video = VideoReader(path, step)
            before = (
                "" if path == self._root else f"{path.parent.relative_to(self._root).as_posix()}/".removeprefix("./")
            )
            places = [(len(self._readers), index, before, f"{before}{path.name}") for index in range(len(video))]
            self._places += places
            self._readers.append(video if long_side is None else _KeptVideo(video, long_side))
        if images and self._root.is_dir() and (not self._readers or has_images(self._root)):
            folder = FolderReader(self._root)
            self._places += [(len(self._readers), index, "", group) for index, group in _every(folder, step)]
            self._readers.append(folder)
        if not self._readers:
            hint = "name the folder that the videos lie in"
            raise DataError("the folder holds no videos", where=root, choices=sorted(VIDEO_SUFFIXES), hint=hint)

    def __len__(self) -> int:
        return len(self._places)

    def sample(self, index: int) -> Sample:
        number, place, before, group = self._places[index]
        sample = self._readers[number].sample(place)
        if self._long_side is not None and isinstance(self._readers[number], FolderReader):
            sample = reduced_sample(sample, self._long_side)
        return replace(sample, key=f"{before}{sample.key}", group=group)

    def group(self, index: int) -> str:
        return self._places[index][3]


def video_files(root: Path) -> list[Path]:
    """All videos of a folder and below it, sorted, without hidden ones. DataError where there is no such folder."""
    require_folder(root, "folder")
    found = (path for path in root.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    return sorted(path for path in found if not path.name.startswith(".") and path.is_file())


def _read_reduced(read: Callable[[], Array], size: Size) -> Array:
    return np.asarray(cv2.resize(read(), size[::-1], interpolation=cv2.INTER_AREA))


class _KeptVideo(Reader):
    """A video's frames, decoded once and kept at a reduced size."""

    def __init__(self, video: VideoReader, long_side: int) -> None:
        self._samples = []
        for sample in progress(video.frames(), len(video), f"decode {video.path.name}", "frames"):
            small = reduced_sample(sample, long_side)
            self._samples.append(replace(small, image=partial(np.asarray, small.image())))

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> Sample:
        return self._samples[index]


def reduced_sample(sample: Sample, long_side: int) -> Sample:
    """The sample with its image no longer than `long_side` pixels; nothing else of it is scaled."""
    scale = min(1.0, long_side / max(sample.size))
    size = (max(1, round(sample.size[0] * scale)), max(1, round(sample.size[1] * scale)))
    return (
        sample
        if size == sample.size
        else replace(sample, size=size, image=partial(_read_reduced, sample.image, size), path=None)
    )


def has_images(folder: Path) -> bool:
    """Whether some image lies in a folder or below it, hidden ones aside."""
    return bool(image_files(folder))


def _every(folder: FolderReader, step: int) -> list[tuple[int, str]]:
    """(index, group) of every `step`-th image of each folder."""
    counts: Counter[str] = Counter()
    kept = []
    for index, key in enumerate(folder.groups):
        parent = Path(key).parent.as_posix()
        if counts[parent] % step == 0:
            kept.append((index, parent))
        counts[parent] += 1
    return kept
