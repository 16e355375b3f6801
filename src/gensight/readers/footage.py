"""Footage of a subject: videos and folders of frames together, without labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gensight.errors import DataError
from gensight.readers.base import Reader, Summary
from gensight.readers.checking import check_samples
from gensight.readers.folder import FolderReader
from gensight.readers.video import VideoReader
from gensight.samples import Sample


class FootageReader(Reader):
    """The frames of each source in order. A video is a group, and so is each folder that images lie in.

    Keys are those of the source after its number: `0/video.mp4#000012`, `1/session-2/img001.png`.

    Args:
        sources: Videos, and folders of frames (searched with the folders below them).
        step: Take every so-manieth frame of a video, and of each folder.

    Raises:
        DataError: A source is missing or holds nothing that can be read, or `step` is less than 1.
    """

    name = "footage"

    def __init__(self, sources: Sequence[str | Path], step: int = 1) -> None:
        if step < 1:
            raise DataError(f"a step of {step} frames leads nowhere", where=self.name, hint="choose 1 or more")
        self._readers: list[Reader] = []
        self._places: list[tuple[int, int, str]] = []
        for number, source in enumerate(sources):
            reader, kept = _open(Path(source), step)
            self._readers.append(reader)
            self._places += [(number, index, f"{number}/{group}") for index, group in kept]

    def __len__(self) -> int:
        return len(self._places)

    def sample(self, index: int) -> Sample:
        number, place, group = self._places[index]
        sample = self._readers[number].sample(place)
        return replace(sample, key=f"{number}/{sample.key}", group=group)

    @property
    def groups(self) -> list[str]:
        return [group for _, _, group in self._places]

    def check(self) -> Summary:
        return check_samples(self.sample, len(self))


def _open(source: Path, step: int) -> tuple[Reader, list[tuple[int, str]]]:
    """A source's reader, and the (index, group) of each frame that is taken."""
    if not source.is_dir():
        video = VideoReader(source, step)
        return video, [(index, source.name) for index in range(len(video))]
    folder = FolderReader(source)
    seen: dict[str, int] = {}
    kept = []
    for index, key in enumerate(folder.groups):
        parent = Path(key).parent.as_posix()
        count = seen.get(parent, 0)
        seen[parent] = count + 1
        if count % step == 0:
            kept.append((index, parent))
    return folder, kept
