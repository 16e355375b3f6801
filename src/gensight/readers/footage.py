"""Footage of a subject: videos and folders of frames together, without labels."""

from dataclasses import replace
from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.files.videos import VIDEO_SUFFIXES
from gensight.readers.base import Reader, Summary
from gensight.readers.checking import check_samples
from gensight.readers.folder import FolderReader
from gensight.readers.video import VideoReader
from gensight.samples import Sample


class FootageReader(Reader):
    """All videos of a folder and below it, then all images. A video is a group, and so is each folder of images.

    Keys are paths from the root, of a video's frames with their number: `day-1/video.mp4#000012`, `frames/img001.png`.

    Args:
        root: The folder, or one video.
        step: Take every so-manieth frame of each video, and of each folder.

    Raises:
        DataError: The root is missing or holds nothing that can be read, or `step` is less than 1.
    """

    name = "footage"

    def __init__(self, root: str | Path, step: int = 1) -> None:
        if step < 1:
            raise DataError(f"a step of {step} frames leads nowhere", where=root, hint="choose 1 or more")
        self.root = Path(root)
        self._readers: list[Reader] = []
        self._places: list[tuple[int, int, str, str]] = []  # reader, index in it, folder of its keys, group
        for path in self._videos():
            video = VideoReader(path, step)
            before = "" if path == self.root else f"{path.parent.relative_to(self.root).as_posix()}/".removeprefix("./")
            places = [(len(self._readers), index, before, f"{before}{path.name}") for index in range(len(video))]
            self._places += places
            self._readers.append(video)
        if self.root.is_dir() and (not self._readers or _has_images(self.root)):
            folder = FolderReader(self.root)
            self._places += [(len(self._readers), index, "", group) for index, group in _every(folder, step)]
            self._readers.append(folder)

    def _videos(self) -> list[Path]:
        if not self.root.is_dir():
            return [self.root]
        found = (path for path in self.root.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
        return sorted(path for path in found if not path.name.startswith("."))

    def __len__(self) -> int:
        return len(self._places)

    def sample(self, index: int) -> Sample:
        number, place, before, group = self._places[index]
        sample = self._readers[number].sample(place)
        return replace(sample, key=f"{before}{sample.key}", group=group)

    @property
    def groups(self) -> list[str]:
        return [group for _, _, _, group in self._places]

    def check(self) -> Summary:
        return check_samples(self.sample, len(self))


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))


def _every(folder: FolderReader, step: int) -> list[tuple[int, str]]:
    """(index, group) of every `step`-th image of each folder."""
    seen: dict[str, int] = {}
    kept = []
    for index, key in enumerate(folder.groups):
        parent = Path(key).parent.as_posix()
        count = seen.get(parent, 0)
        seen[parent] = count + 1
        if count % step == 0:
            kept.append((index, parent))
    return kept
