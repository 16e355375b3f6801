"""Keypoints of all frames of a video, or of many images, in the project's own coordinates."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gensight.errors import ConfigError
from gensight.samples import Array, Keypoints, Size, Visibility
from gensight.skeletons import Skeleton


class Subject(NamedTuple):
    """The keypoints of one subject in one frame.

    Attributes:
        place: Of its individual in the table.
        keypoints: In image pixels, NaN where there is none.
        score: In [0, 1].
    """

    place: int
    keypoints: Keypoints
    score: float = 1.0


class PoseFrame(NamedTuple):
    """One image or frame; `subjects` may be empty.

    Attributes:
        key: Of the image, or `video.mp4#000012`.
        subjects: No two of one individual.
        frame: Number in its video; None for images.
        time: In seconds; None for images, or where unknown.
        size: (height, width); zeros where unknown.
    """

    key: str
    subjects: tuple[Subject, ...] = ()
    frame: int | None = None
    time: float | None = None
    size: Size = (0, 0)


@dataclass(frozen=True, eq=False)
class PoseTable:
    """Exactly one entry per frame, in order.

    Attributes:
        skeleton: The keypoints.
        frames: Gives all frames, as often as it is called.
        num_frames: Number of frames.
        individuals: Names of the subjects' places; empty where there can be one subject only.
        scorer: Who located the keypoints.
        video: Path of the video; empty for images.
        rate: Frames per second of the video; None where unknown.
    """

    skeleton: Skeleton
    frames: Callable[[], Iterator[PoseFrame]]
    num_frames: int
    individuals: tuple[str, ...] = ()
    scorer: str = "gensight"
    video: str = ""
    rate: float | None = None

    @property
    def places(self) -> int:
        """Subjects that a frame can have."""
        return max(1, len(self.individuals))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all places."""
        return self.individuals or ("individual1",)

    def blocks(self, size: int = 1000) -> Iterator[tuple[list[PoseFrame], Array]]:
        """Frames, and float64 (num_frames, num_places, K, 3): x, y and confidence of them; NaN where there is
        no subject, and x and y also where a keypoint has no place."""
        some: list[PoseFrame] = []
        for frame in self.frames():
            some.append(frame)
            if len(some) == size:
                yield some, self._values(some)
                some = []
        if some:
            yield some, self._values(some)

    def _values(self, frames: Sequence[PoseFrame]) -> Array:
        values = np.full((len(frames), self.places, len(self.skeleton), 3), np.nan)
        for number, frame in enumerate(frames):
            for one in frame.subjects:
                known = one.keypoints.located & np.isfinite(one.keypoints.points).all(1)
                values[number, one.place, known, :2] = one.keypoints.points[known]
                values[number, one.place, :, 2] = one.keypoints.confidence
        return values


def located(skeleton: Skeleton, points: Array, confidence: Array | None = None) -> Keypoints:
    """Keypoints (K, 2) of a format that knows no occlusion: those that are numbers are visible."""
    known = np.asarray(np.isfinite(points).all(1))
    visibility = np.where(known, Visibility.VISIBLE, Visibility.UNLABELLED).astype(np.int8)
    sure = np.ones(len(points)) if confidence is None else np.where(known, np.nan_to_num(confidence), 0.0)
    return Keypoints(skeleton, np.where(known[:, None], points, np.nan), visibility, sure.astype(np.float32))


def required(module: str, extra: str, format: str) -> None:
    """Raises ConfigError where an optional package is not installed."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(
            f"{format} needs the package {module}, which is not installed", where=format,
            hint=f'pip install "gensight[{extra}]", or choose another format',
        )  # fmt: skip
