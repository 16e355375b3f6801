"""The smallest training that exercises the engine: a scratch readout on dots drawn here."""

from dataclasses import dataclass

import numpy as np
import torch

from gensight.backbones.scratch import ScratchEncoder
from gensight.encodings.heatmap import Heatmap
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw
from gensight.loading.views import ViewPolicy
from gensight.methods.readout.method import Part, Readout
from gensight.readers.base import Reader, Summary
from gensight.samples import Array, Batch, Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.augmentation import Augmentation

SKELETON = Skeleton("dots-2", ("left_dot", "right_dot"))
SIZE = (32, 32)


@dataclass(frozen=True, eq=False)
class DotsImage:
    points: Array
    seed: int
    index: int

    def __call__(self) -> Array:
        canvas = np.random.default_rng([self.seed, self.index, 1]).integers(0, 60, (*SIZE, 3)).astype(np.uint8)
        for channel, (x, y) in enumerate(self.points):
            canvas[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3, channel] = 255
        return canvas


class Dots(Reader):
    """A red and a green dot on noise."""

    name = "dots"
    skeleton = SKELETON

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def check(self) -> Summary:
        return Summary(self.count, self.count, ("keypoints",))

    def sample(self, index: int) -> Sample:
        rng = np.random.default_rng([self.seed, index])
        points = rng.uniform(6, 26, size=(2, 2))

        keypoints = Keypoints(
            SKELETON, points, np.full(2, Visibility.VISIBLE, dtype=np.int8), np.ones(2, dtype=np.float32)
        )
        instance = Instance(box=np.array([0.0, 0.0, 32.0, 32.0]), keypoints=keypoints)
        return Sample(f"dots/{index:04d}", SIZE, DotsImage(points, self.seed, index), (instance,))


def encoding() -> Heatmap:
    return Heatmap(SKELETON, sigma=1 / 8, stride=4)


def cases(count: int = 12, seed: int = 0, augment: bool = True) -> Cases:
    augmentation = Augmentation(rotation=20.0, scale=(0.9, 1.1), brightness=0.2) if augment else None
    return Cases(Dots(count, seed), encoding(), ViewPolicy(SIZE), augmentation, seed)


def batch(size: int = 4) -> Batch:
    """The first draws of `cases`."""
    of = cases()
    return collate([of[Draw(index, 0, 100 + index)] for index in range(size)])


def method(seed: int = 0) -> Readout:
    torch.manual_seed(seed)
    backbone = ScratchEncoder(widths=(8, 8, 16))
    return Readout(
        backbone,
        {"dots": Part(encoding().outputs, 4)},
        projection=16,
        bottleneck=8,
        widths=(8, 8),
        loss="cross-entropy",
    )
