"""A finished run of landmarks, and the crops of a user's images that it looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gensight.errors import RunError
from gensight.files.progress import batches
from gensight.geometry import model_to_image, warp_image
from gensight.loading.cases import stack_images
from gensight.methods.landmarks.method import Landmarks
from gensight.prediction.request import subject_items
from gensight.prediction.sources import Boxes, PredictionSource
from gensight.prediction.tracking.subject import track_source
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.footage.tracked import Tracker
from gensight.samples import Sample, View

BATCH = 16
COLUMNS = (
    "frame", "landmark", "x", "y", "xx", "xy", "yy", "confidence", "equivariance_error", "floored",
)  # fmt: skip


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

    def crops(
        self, opened: PredictionSource, size: int = BATCH, step: int = 1, label: str = "landmarks"
    ) -> Iterator[Crops]:
        """Every `step`-th frame of a source, `size` at a time; of a run that tracks, the subject that is found."""
        tracker = self.tracker(opened)
        total = -(-opened.num_samples // step)
        for some in batches(islice(opened.samples(), 0, None, step), size, total, label, "frames"):
            yield self.crop(some, tracker)

    def tracker(self, opened: PredictionSource) -> Tracker | None:
        """Finds the subject of a source; None where the run looks at whole frames."""
        return track_source(opened) if self.trained.config.view.track else None

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
        if self.landmarks.model.background_is_recorded and tracker is not None:
            pictures = (tracker.background(sample)() for sample in samples)
            behind = stack_images([warp_image(p, v) for p, v in zip(pictures, views, strict=True)]).to(device)
        return Crops(list(samples), views, images, behind)

    def table(self, opened: PredictionSource, unreadable: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The rows of all frames; of one that can't be read, and is added to `unreadable`, a row with nothing else."""
        tracker, held = self.tracker(opened), list[dict[str, Any]]()
        empty: dict[str, Any] = dict.fromkeys(COLUMNS)
        for readings in batches(
            opened.read(range(opened.num_samples)), BATCH, opened.num_samples, "landmarks", "frames"
        ):
            samples = [one.sample for one in readings if one.sample is not None]
            found = iter(self.rows(self.crop(samples, tracker)) if samples else ())
            for one in readings:
                if one.sample is None:
                    unreadable[one.key] = one.problem
                    held.append(empty | {"frame": one.key})
                else:
                    held += islice(found, self.landmarks.num_landmarks)
            yield from held
            held.clear()

    def rows(self, crops: Crops) -> Iterator[dict[str, Any]]:
        """A row of each landmark of each frame: place, covariance and equivariance error in image pixels.

        `floored` is 1 where a fitted covariance had collapsed and was widened to its floor.
        """
        found = self.landmarks.find(crops.images).landmarks
        keys = torch.arange(len(crops.samples))  # the same warps for every batch: errors compare from frame to frame
        errors = self.landmarks.equivariance_error(crops.images, keys).cpu().numpy()
        for frame, (sample, view) in enumerate(zip(crops.samples, crops.views, strict=True)):
            half = np.array(view.model_size[::-1]) / 2  # model pixels per unit of the landmarks' coordinates
            points = model_to_image((found.mean[frame].double().cpu().numpy() + 1) * half, view)
            linear = view.inverse[:2, :2] @ np.diag(half)
            spread = linear @ found.covariance[frame].double().cpu().numpy() @ linear.T
            scale = float(np.sqrt(abs(np.linalg.det(linear))))
            for number, (x, y) in enumerate(points):
                values = (
                    sample.key, number, x, y, spread[number, 0, 0], spread[number, 0, 1], spread[number, 1, 1],
                    float(found.concentration[frame, number]), float(errors[frame, number]) * scale,
                    int(found.floored[frame, number]),
                )  # fmt: skip
                yield dict(zip(COLUMNS, values, strict=True))
