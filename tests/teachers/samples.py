"""Small things to label, and teachers that are quick and can be made to fail."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from gensight.files.images import write_image
from gensight.readers.base import Reader, Summary
from gensight.samples import Array, Depth, Instance, Sample, Size, Visibility
from gensight.samples import Keypoints as Points
from gensight.skeletons import COCO_17
from gensight.teachers.base import LabelName, Labels, Teacher

SIZE = (40, 56)


class ListReader(Reader):
    """Samples in memory."""

    name = "list"

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, index: int) -> Sample:
        return self.samples[index]

    def check(self) -> Summary:
        return Summary(len(self), 0, ())


class Pixels:
    """A picture in memory, as `Sample.image` wants it: picklable."""

    def __init__(self, pixels: Array) -> None:
        self.pixels = pixels

    def __call__(self) -> Array:
        return self.pixels


def waves(size: Size, seed: int = 0) -> Array:
    """uint8 (height, width, 3): smooth blobs of colour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    waves = [np.sin(x / rng.uniform(3, 9) + y / rng.uniform(3, 9) + rng.uniform(0, 6)) for _ in range(3)]
    return np.clip(np.stack(waves, axis=-1) * 100 + 128, 0, 255).astype(np.uint8)


def sample(size: Size = (40, 60), instances: tuple[Instance, ...] | None = None, seed: int = 0) -> Sample:
    return Sample(f"{seed}.png", size, Pixels(waves(size, seed)), instances=instances)


def person(*box: float, number: int | None = None, category: str = "person", confidence: float = 1.0) -> Instance:
    return Instance(category, np.array(box, dtype=np.float64), id=number, confidence=confidence)


def picture(seed: int, size: Size = SIZE) -> Array:
    """Smooth noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)


def pictures(folder: Path, num: int = 7) -> Path:
    """A folder of images."""
    for number in range(num):
        write_image(folder / f"{number:02d}.png", picture(number))
    return folder


def moving(num: int = 6, step: tuple[int, int] = (2, 1), size: tuple[int, int] = (64, 80)) -> list[Array]:
    """Frames of a window that slides over a picture: what it shows moves by -step px per frame."""
    wide = picture(0, (size[0] + 64, size[1] + 64))
    return [
        np.ascontiguousarray(wide[n * step[1] : n * step[1] + size[0], n * step[0] : n * step[0] + size[1]])
        for n in range(num)
    ]


def frames(folder: Path, num_videos: int = 3, num: int = 5) -> Path:
    """Folders of frames, one per video."""
    for video in range(num_videos):
        for number, pixels in enumerate(moving(num, (1 + video, 1), (40, 48))):
            write_image(folder / f"v{video}" / f"{number:03d}.png", pixels)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, with its content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Killed(BaseException):
    """What ends a process in the middle of its work."""


class QuickTeacher(Teacher):
    """Boxes, depth and a caption that are functions of the pixels.

    Args:
        version: Of the teacher.
        kill_after: After so many images it ends the process.
    """

    name = "quick"
    labels: ClassVar[tuple[LabelName, ...]] = ("instances", "depth", "caption")

    def __init__(self, version: str = "1", kill_after: int | None = None) -> None:
        self.version, self.kill_after = version, kill_after
        self.seen: list[str] = []

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        return [self._label(sample) for sample in samples]

    def _label(self, sample: Sample) -> Labels:
        if self.kill_after is not None and len(self.seen) >= self.kill_after:
            raise Killed
        self.seen.append(sample.key)
        image = sample.image()
        mean = image.mean() / 255
        box = Instance("thing", np.array([1.0, 2, 3 + 10 * mean, 9]), confidence=float(mean),
                       provenance=self.provenance(float(mean)))  # fmt: skip
        depth = Depth((image[..., 0] / 100).astype(np.float32))
        digest = hashlib.sha256(image.tobytes()).hexdigest()[:6]
        return Labels(instances=(box,), depth=depth, caption=f"picture {digest} v{self.version}", confidence=0.5)


class PoseOfBoxes(Teacher):
    """Completes each box that has none with keypoints inside it."""

    name = "posed"
    labels: ClassVar[tuple[LabelName, ...]] = ("instances",)
    needs: ClassVar[tuple[LabelName, ...]] = ("instances",)

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        return [Labels(instances=tuple(map(self._pose, sample.instances or ()))) for sample in samples]

    def _pose(self, subject: Instance) -> Instance:
        assert subject.box is not None
        points = np.linspace(subject.box[:2], subject.box[2:], 17)
        keypoints = Points(
            COCO_17, points, np.full(17, Visibility.VISIBLE, dtype=np.int8), np.full(17, 0.5, dtype=np.float32)
        )
        return Instance("thing", subject.box, keypoints, id=subject.id, provenance=self.provenance(0.9), confidence=0.9)
