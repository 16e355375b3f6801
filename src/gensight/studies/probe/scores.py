"""Scores of linear readouts of feature maps: ridge regression from each cell's features to the target's cells.

The mean target is the baseline; the regression predicts what the features add to it (`heads/ridge.py`), so
a layer without information scores as the mean target does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model
from gensight.heads.ridge import PENALTIES, Linear, Moments, cross_validated
from gensight.loading.cases import Cases
from gensight.metrics.bootstrap import interval
from gensight.samples import Array, Item, View

Maps = Callable[[Sequence[int]], Tensor]  # image numbers -> (images, channels, grid_height, grid_width) of features
PROBED = ("blobs", "sparse-image", "dense-image", "values", "affine-values")
_PORTION = 4  # images whose rows are held at a time
_NUM_RESAMPLES = 1000
_PEAK = 0.5  # a blob whose target never rises above it is not in the image


@dataclass(frozen=True)
class ProbeScore:
    """What was found.

    Attributes:
        value: Mean error of the place in model pixels (blobs), or the share of the targets' variance that is explained.
        interval: Bootstrap 95 % interval over groups of images.
        penalties: Of each fold's regression, for each set of equally labelled channels.
    """

    value: float
    interval: tuple[float, float]
    penalties: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled images, and how they are divided for cross-validation.

    Attributes:
        encoding: The target.
        output: Name of its only output.
        items, views: One of each per image.
        targets: (images, channels, grid_height, grid_width) in [0, 1].
        weights: The same shape, 0 where nothing is labelled.
        folds: Image numbers of each fold.
        places: For blobs, (images, channels, 2): where the targets are, in model pixels; NaN where nothing is.
        groups: Each image's group.
        note: How the folds were made.
    """

    encoding: Encoding
    output: str
    items: tuple[Item, ...]
    views: tuple[tuple[View, ...], ...]
    targets: Tensor
    weights: Tensor
    places: Array | None
    folds: tuple[tuple[int, ...], ...]
    groups: tuple[str, ...]
    note: str

    @classmethod
    def open(cls, cases: Cases, num_folds: int) -> "Task":
        """The targets of all cases.

        Raises:
            ConfigError: The encoding makes no maps.
            DataError: There are fewer images than folds.
        """
        output, spec = probed_output(cases.encoding)
        items = tuple(cases.item(index) for index in range(len(cases)))
        views = tuple((cases.policy.view(item),) for item in items)
        encoded = [cases.encoding.encode(item, view) for item, view in zip(items, views, strict=True)]
        targets = torch.stack([one[output] for one in encoded]).float()
        weights = torch.stack([one[f"{output}_weight"].float().expand_as(one[output]) for one in encoded])
        groups = tuple(item.sample.group for item in items)
        folds, note = divide(groups, num_folds)
        task = cls(cases.encoding, output, items, views, targets, weights, None, folds, groups, note)
        if spec.kind != "blobs":
            return task
        places = task.points(targets)
        shown = (targets.amax((-2, -1)) > _PEAK) & (weights.amax((-2, -1)) > 0)
        places[~shown.numpy()] = np.nan
        return replace(task, places=places)

    @property
    def in_pixels(self) -> bool:
        """Whether scores are errors in model pixels, the smaller the better."""
        return self.places is not None

    def points(self, maps: Tensor) -> Array:
        """float64 (images, channels, 2): the point of each blob map, in model pixels."""
        points = []
        for item, view, one in zip(self.items, self.views, maps, strict=True):
            instances = self.encoding.decode({self.output: one}, item, view).instances
            assert instances is not None and instances[0].keypoints is not None  # as heatmaps are decoded
            points.append(image_to_model(instances[0].keypoints.points, view[0]))
        return np.stack(points)


def probed_output(encoding: Encoding) -> tuple[str, OutputSpec]:
    """The name and the spec of an encoding's only output. Raises ConfigError where it is no map."""
    outputs = list(encoding.outputs.items())
    if len(outputs) != 1 or outputs[0][1].kind not in PROBED:
        raise ConfigError(
            f"a probe reads one map per image, and the {encoding.name} encoding has "
            f"{', '.join(f'{name} ({spec.kind})' for name, spec in outputs)}",
            where="encoding.kind",
            choices=["heatmap", "pose-image", "edge-image", "depth-image", "depth-map"],
        )
    return outputs[0]


def divide(groups: Sequence[str], num_folds: int) -> tuple[tuple[tuple[int, ...], ...], str]:
    """Image numbers of each fold, and how they were divided: whole groups where there are enough, else blocks.

    Raises:
        DataError: If there are fewer images than folds.
    """
    if len(groups) < num_folds:
        raise DataError(
            f"{len(groups)} labelled images cannot be divided into {num_folds} folds",
            hint="label more images, or take more of them with --samples",
        )
    names = list(dict.fromkeys(groups))
    if len(names) < num_folds:
        blocks = np.array_split(np.arange(len(groups)), num_folds)
        return tuple(tuple(map(int, block)) for block in blocks), "blocks of neighbouring images: too few groups"
    order = np.random.default_rng(0).permutation(len(names))
    fold_of = {names[name]: int(place) % num_folds for place, name in enumerate(order)}
    numbers = [tuple(i for i, group in enumerate(groups) if fold_of[group] == fold) for fold in range(num_folds)]
    return tuple(numbers), "whole groups of images"


def score_features(task: Task, maps: Maps, device: str = "cpu") -> ProbeScore:
    """How well each cell's target is predicted from its features, on images that the regression did not learn from.

    Args:
        task: The target and its folds.
        maps: The features, on the targets' grid.
        device: Where the sums are made.
    """
    predicted, penalties = torch.zeros_like(task.targets), []
    for channels in _equally_labelled(task.weights):
        folds = [_moments(task, maps, fold, channels, device) for fold in task.folds]
        for fold, (linear, penalty) in zip(task.folds, cross_validated(folds, PENALTIES), strict=True):
            penalties.append(penalty)
            for numbers in torch.tensor(fold).split(_PORTION):
                predicted[numbers[:, None], channels] = _apply(linear, maps(numbers.tolist()).to(device)).cpu()
    return _score(task, predicted, tuple(penalties))


def score_mean(task: Task) -> ProbeScore:
    """The mean target of the other folds' images as the prediction for each."""
    predicted = torch.zeros_like(task.targets)
    for fold in task.folds:
        others = _others(task, fold)
        weight = task.weights[others]
        predicted[list(fold)] = (task.targets[others] * weight).sum(0) / weight.sum(0).clamp(min=1e-6)
    return _score(task, predicted)


def _equally_labelled(weights: Tensor) -> list[Tensor]:
    """Numbers of the channels, in sets that have the same weights everywhere: each set is one regression."""
    sets: dict[bytes, list[int]] = {}
    for channel in range(weights.shape[1]):
        sets.setdefault(weights[:, channel].numpy().tobytes(), []).append(channel)
    return [torch.tensor(one) for one in sets.values()]


def _others(task: Task, fold: Sequence[int]) -> list[int]:
    return sorted({*range(len(task.items))} - {*fold})


def _moments(task: Task, maps: Maps, fold: Sequence[int], channels: Tensor, device: str) -> Moments:
    sums = []
    for numbers in torch.tensor(fold).split(_PORTION):
        rows = maps(numbers.tolist()).to(device).flatten(2).mT
        targets = task.targets[numbers[:, None], channels].flatten(2).mT.to(device)
        sums.append(Moments.of(rows, targets, task.weights[numbers, channels[0]].flatten(1).to(device)))
    return reduce(Moments.__add__, sums)


def _apply(linear: Linear, maps: Tensor) -> Tensor:
    answers = maps.double().flatten(2).mT @ linear.weight + linear.constant
    return answers.mT.unflatten(-1, maps.shape[-2:]).float()


def _score(task: Task, predicted: Tensor, penalties: tuple[float, ...] = ()) -> ProbeScore:
    statistics = _place_errors(task, predicted) if task.in_pixels else _squares(task, predicted)

    def value(sums: Array) -> Array:
        ratio = sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)
        return ratio if task.in_pixels else 1 - ratio

    low, high = interval(statistics, value, task.groups, num_resamples=_NUM_RESAMPLES)
    return ProbeScore(float(value(statistics.sum(0, keepdims=True))[0]), (low, high), penalties)


def _place_errors(task: Task, predicted: Tensor) -> Array:
    """float64 (images, 2): sum of the distances in model pixels, and number of points."""
    distances = np.linalg.norm(task.points(predicted) - task.places, axis=-1)
    return np.stack([np.nansum(distances, 1), np.isfinite(distances).sum(1)], 1)


def _squares(task: Task, predicted: Tensor) -> Array:
    """float64 (images, 2): squared errors, and squared distances from the mean value of the other folds."""
    statistics = np.zeros((len(task.items), 2))
    errors = (task.weights * (task.targets - predicted).square()).double().sum((1, 2, 3))
    for fold in task.folds:
        others, own = _others(task, fold), list(fold)
        weight = task.weights[others]
        mean = (task.targets[others] * weight).sum((0, 2, 3)) / weight.sum((0, 2, 3)).clamp(min=1e-6)
        spread = task.weights[own] * (task.targets[own] - mean[:, None, None]).square()
        statistics[own] = np.stack([errors[own].numpy(), spread.double().sum((1, 2, 3)).numpy()], -1)
    return statistics
