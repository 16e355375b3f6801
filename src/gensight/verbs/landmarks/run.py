"""A finished run of landmarks, and the crops of a user's images that it looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor

from gensight.config.landmarks import LandmarksConfig
from gensight.errors import RunError
from gensight.files.progress import batches
from gensight.geometry import warp_image
from gensight.loading.cases import stack_images
from gensight.methods.landmarks.method import Landmarks
from gensight.prediction.request import subject_items
from gensight.prediction.sources import Boxes, PredictionSource
from gensight.prediction.tracking.subject import track_source
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.footage.tracked import Tracker
from gensight.samples import Array, Sample, View

BATCH = 16


@dataclass(frozen=True, eq=False)
class Crops:
    """Some frames as the landmarks see them.

    Attributes:
        samples: The frames.
        views: Of each.
        images: (B, 3, height, width) in [0, 1].
        behind: The recorded backgrounds, likewise; None where the run needs none.
    """

    samples: list[Sample]
    views: list[View]
    images: Tensor
    behind: Tensor | None


@dataclass(frozen=True, eq=False)
class LandmarkRun:
    """A run whose method is `landmarks`, on its device."""

    trained: TrainedRun
    landmarks: Landmarks

    @classmethod
    def open(cls, run: Path, device: str) -> "LandmarkRun":
        """Raises RunError for a run of another method."""
        trained = TrainedRun.load(run, device)
        if not isinstance(trained.method, Landmarks):
            raise RunError(
                f"this is a run of the {trained.config.method.kind} method, not of landmarks",
                where=run,
                hint="train one with method.kind=landmarks",
            )
        return cls(trained, trained.method.eval())

    @property
    def config(self) -> LandmarksConfig:
        config = self.trained.config.method
        assert isinstance(config, LandmarksConfig)  # `open` has checked it
        return config

    def crops(
        self, opened: PredictionSource, size: int = BATCH, step: int = 1, label: str = "landmarks"
    ) -> Iterator[Crops]:
        """The frames of a source, `size` at a time; of a run with boxes, those that its tracker finds."""
        tracker = track_source(opened) if self.trained.config.view.track else None
        total = -(-opened.num_samples // step)
        for some in batches(islice(opened.samples(), 0, None, step), size, total, label, "frames"):
            yield self.crop(some, tracker)

    def crop(self, samples: Sequence[Sample], tracker: Tracker | None = None, boxes: Boxes | None = None) -> Crops:
        """Some frames as the landmarks see them; without tracker and boxes each is taken for the subject's box."""
        views = []
        for sample in samples:
            if tracker is not None:
                boxes = {sample.key: [(tracker.box(sample), 1.0)]}
            views.append(self.trained.policy.view(subject_items(sample, boxes)[0]))
        device = self.trained.predictor.device
        images = stack_images([warp_image(s.image(), v) for s, v in zip(samples, views, strict=True)]).to(device)
        behind = None
        if self.config.background == "recorded" and tracker is not None:
            pictures = (tracker.background(sample)() for sample in samples)
            behind = stack_images([warp_image(p, v) for p, v in zip(pictures, views, strict=True)]).to(device)
        return Crops(list(samples), views, images, behind)


def to_pixels(image: Tensor) -> Array:
    """uint8 (height, width, 3) of one image (1, 3, height, width) in [0, 1]."""
    return np.asarray((image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy())
