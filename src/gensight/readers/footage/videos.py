"""A folder of videos: the frames of all of them as samples, without labels."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from gensight.errors import DataError
from gensight.files.videos import VIDEO_SUFFIXES
from gensight.readers.base import Reader, Summary
from gensight.readers.footage.video import VideoReader
from gensight.readers.shared.checking import check_samples
from gensight.samples import Sample


class VideosReader(Reader):
    """Every `step`-th frame of every video below a folder, sorted by path; each video is one group.

    Args:
        root: The folder.
        step: Take every k-th frame of each video (k = step).

    Raises:
        DataError: The folder is missing or holds no video, or a video can't be read.
    """

    name = "videos"

    def __init__(self, root: str | Path, step: int = 1) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError("folder not found", where=self.root, hint="check the path")
        found = (path for path in self.root.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
        paths = sorted(path for path in found if not path.name.startswith("."))
        if not paths:
            hint = "name the folder that the videos lie in"
            raise DataError("the folder holds no videos", where=self.root, choices=sorted(VIDEO_SUFFIXES), hint=hint)
        self.videos = [VideoReader(path, step) for path in paths]
        self._ends = list(accumulate(len(video) for video in self.videos))

    def __len__(self) -> int:
        return self._ends[-1]

    def sample(self, index: int) -> Sample:
        video = bisect_right(self._ends, index)
        return self.videos[video].sample(index - (self._ends[video - 1] if video else 0))

    @property
    def groups(self) -> list[str]:
        return [group for video in self.videos for group in video.groups]

    @property
    def folder(self) -> Path:
        return self.root

    def check(self) -> Summary:
        return check_samples(self.sample, len(self))
