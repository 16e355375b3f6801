"""Keypoints as heatmaps: one map per keypoint, a Gaussian of peak 1 at its place."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.peaks import largest_cells, peak_finder
from gensight.errors import ConfigError
from gensight.geometry import grid_to_image, image_to_model, inside, model_to_grid
from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Sample, Size, View, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import can_convert, convert_keypoints

Decoder = Literal["argmax", "dark", "soft-argmax"]
DEFAULT_CALIBRATION = (20.0, -2.0)  # a peak of 0.1 is the threshold of Luo et al. (CVPR 2024): confidence 0.5


class Heatmap(Encoding):
    """Unnormalised Gaussians on the grid, evaluated at cell centres, with the exact sub-pixel place as centre.

    Output `heatmaps`: (K, grid_height, grid_width) in [0, 1]; `heatmaps_weight`: (K, 1, 1), 0 or 1. A keypoint that is
    absent, or outside of the model frame, is supervised as an empty map; an unlabelled one not at all. In a mirrored
    view paired keypoints trade channels, so a channel always stands for the keypoint that appears in the view.

    Bound, in model pixels, on its own encodings: `dark` and `soft-argmax` 0.25 (measured: below 0.01) in the whole
    frame; `argmax` half a cell along each axis. All are unbiased.

    Args:
        skeleton: The keypoints to encode. Instances with another skeleton are converted by name where they can be.
        sigma: Standard deviation as a share of the grid's geometric-mean side.
        stride: Model pixels per cell.
        decoder: `argmax`, `dark` or `soft-argmax`.
        calibration: (slope, offset): a prediction's confidence is sigmoid(slope * peak + offset). See
            `fit_calibration`.
        occluded: `supervise` occluded keypoints at their place, or `ignore` them.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "heatmap"

    def __init__(
        self,
        skeleton: Skeleton,
        sigma: float = 1 / 16,
        stride: int = 4,
        decoder: Decoder = "dark",
        calibration: tuple[float, float] = DEFAULT_CALIBRATION,
        occluded: Literal["supervise", "ignore"] = "supervise",
    ) -> None:
        if not sigma > 0:
            raise ConfigError(f"a heatmap's sigma must be above 0, got {sigma}", hint="1/16 of the grid is usual")
        if stride < 1:
            raise ConfigError(f"a heatmap's stride must be at least 1 model pixel per cell, got {stride}")
        self.skeleton = skeleton
        self.sigma = sigma
        self.stride = stride
        self.calibration = calibration
        self.occluded = occluded
        self._find_peaks = peak_finder(decoder)
        self._mirror = np.array(skeleton.mirror)

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"heatmaps": OutputSpec(len(self.skeleton), "blobs", self.sigma)}

    def items(self, sample: Sample) -> list[Item]:
        """One per instance that is no crowd and has a located keypoint of this skeleton."""
        return [Item((sample,), index) for index, one in enumerate(sample.instances or ()) if self._usable(one)]

    def _usable(self, instance: Instance) -> bool:
        keypoints = instance.keypoints
        if instance.is_crowd or keypoints is None or not can_convert(keypoints.skeleton, self.skeleton):
            return False
        return bool(convert_keypoints(keypoints, self.skeleton).located.any())

    def grid_size(self, model_size: Size) -> Size:
        """Cells of `stride` model pixels. ConfigError where they do not tile the frame."""
        if model_size[0] % self.stride or model_size[1] % self.stride:
            fits = [max(self.stride, round(side / self.stride) * self.stride) for side in model_size]
            raise ConfigError(
                f"a view of {model_size[0]} x {model_size[1]} is not a whole number of heatmap cells of {self.stride}",
                hint=f"use a view of {fits[0]} x {fits[1]}, or another stride",
            )
        return model_size[0] // self.stride, model_size[1] // self.stride

    def sigma_cells(self, grid_size: Size) -> float:
        """The Gaussians' standard deviation in cells."""
        return self.sigma * float(np.sqrt(grid_size[0] * grid_size[1]))

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Targets (K, grid_height, grid_width) and weights (K, 1, 1); an item without keypoints has weights of 0."""
        view = views[0]
        grid_size = self.grid_size(view.model_size)
        subject = item.subject
        if subject is None or subject.keypoints is None:
            return _targets(np.zeros((len(self.skeleton), *grid_size)), np.zeros(len(self.skeleton)))
        keypoints = convert_keypoints(subject.keypoints, self.skeleton)
        points, visibility = image_to_model(keypoints.points, view), keypoints.visibility
        if view.mirrored:
            points, visibility = points[self._mirror], visibility[self._mirror]
        located = (visibility >= Visibility.OCCLUDED) & np.isfinite(points).all(1)
        weight = located | (visibility == Visibility.ABSENT)
        if self.occluded == "ignore":
            weight &= visibility != Visibility.OCCLUDED
        shown = located & inside(points, view.model_size)
        centres = model_to_grid(np.where(shown[:, None], points, 0), view.model_size, grid_size)
        return _targets(gaussians(centres, grid_size, self.sigma_cells(grid_size)) * shown[:, None, None], weight)

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """One instance with all K points in the image frame.

        Keypoints of confidence 0.5 or more are visible, the others absent (but keep their point: the best guess). The
        instance has its subject's category and box, and the keypoints' mean confidence.
        """
        view = views[0]
        maps = _numpy(outputs["heatmaps"])
        grid_size: Size = (maps.shape[-2], maps.shape[-1])
        if maps.shape != (len(self.skeleton), *self.grid_size(view.model_size)):
            expected = (len(self.skeleton), *self.grid_size(view.model_size))
            raise ConfigError(f"heatmaps of shape {expected} were expected, got {maps.shape}")
        if view.mirrored:
            maps = maps[self._mirror]
        points = grid_to_image(self._find_peaks(maps, self.sigma_cells(grid_size)), view, grid_size)
        confidence = self._confidence(largest_cells(maps)[1])
        visibility = np.where(confidence >= 0.5, Visibility.VISIBLE, Visibility.ABSENT).astype(np.int8)
        subject = item.subject
        instance = Instance(
            category=subject.category if subject else "object",
            box=subject.box if subject else None,
            keypoints=Keypoints(self.skeleton, points, visibility, confidence),
            confidence=float(confidence.mean()),
        )
        return Prediction(
            sample_key=item.sample.key,
            size=item.sample.size,
            instances=(instance,),
            item_key=item.key,
            group=item.sample.group,
        )

    def _confidence(self, peaks: Array) -> Array:
        slope, offset = self.calibration
        return (1 / (1 + np.exp(-np.clip(slope * peaks.astype(np.float64) + offset, -60, 60)))).astype(np.float32)

    def peaks(self, outputs: Mapping[str, Tensor]) -> Array:
        """float (K,): each map's largest value: what a calibration is fitted on."""
        return largest_cells(_numpy(outputs["heatmaps"]))[1]

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Maps (..., K, grid_height, grid_width) of a mirrored image, turned back: flipped, paired channels swapped."""
        order = torch.from_numpy(self._mirror).to(outputs["heatmaps"].device)
        return {"heatmaps": outputs["heatmaps"].flip(-1).index_select(-3, order)}


def gaussians(centres: Array, grid_size: Size, sigma: float) -> Array:
    """float32 (K, grid_height, grid_width): peak 1 at `centres` (K, 2) of the grid frame, `sigma` in cells."""
    x = np.exp(-((np.arange(grid_size[1]) + 0.5 - centres[:, :1]) ** 2) / (2 * sigma**2))
    y = np.exp(-((np.arange(grid_size[0]) + 0.5 - centres[:, 1:]) ** 2) / (2 * sigma**2))
    return y.astype(np.float32)[:, :, None] * x.astype(np.float32)[:, None, :]


def fit_calibration(peaks: Array, correct: Array, num_steps: int = 50) -> tuple[float, float]:
    """(slope, offset) of the confidence, fitted on held-out predictions (Platt 1999, with its smoothed targets).

    Args:
        peaks: float (n,), largest values of heatmaps.
        correct: bool (n,), whether each keypoint was there (or was found).
    """
    peaks, correct = np.asarray(peaks, dtype=np.float64), np.asarray(correct, dtype=bool)
    num_true, num_false = int(correct.sum()), int((~correct).sum())
    target = np.where(correct, (num_true + 1) / (num_true + 2), 1 / (num_false + 2))
    design = np.stack([peaks, np.ones_like(peaks)], axis=1)
    weights = np.zeros(2)
    for _ in range(num_steps):  # Newton's method, with a little ridge so that it never divides by zero
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        gradient = design.T @ (probability - target) + 1e-3 * weights
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights -= step * min(1.0, 10 / max(float(np.abs(step).max()), 1e-12))
    return float(weights[0]), float(weights[1])


def _targets(maps: Array, weight: Array) -> dict[str, Tensor]:
    return {
        "heatmaps": torch.from_numpy(maps.astype(np.float32, copy=False)),
        "heatmaps_weight": torch.from_numpy(weight.astype(np.float32)[:, None, None]),
    }


def _numpy(maps: Tensor) -> Array:
    return maps.detach().float().cpu().numpy()
