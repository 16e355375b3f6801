"""Labelled keypoints as linear functions of learned landmarks: the error against the number of labels.

Protocols: the regressors of `methods.landmarks.regression` by name, the number of labelled frames, and the split of the
labels' data section; with blocks every labelled frame is scored once, by a regression fitted without its block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from gensight.files.progress import progress
from gensight.geometry import model_to_image
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.regression import REGRESSORS, Regressor, fit, mean_places
from gensight.metrics.base import counts_text
from gensight.metrics.bootstrap import interval
from gensight.prediction.landmark_run import BATCH
from gensight.readers.splits import evenly_spaced
from gensight.samples import Array, View

RAW_PIXELS = (12, 16)  # height and width of the crops that the raw-pixel baseline reads
BASELINES = ("mean-position", "mean-in-image", "raw-pixels")


@dataclass(frozen=True)
class CurvePoint:
    """The error of one regressor on one number of labelled frames.

    Attributes:
        regressor: Its name. `mean-position` (in the view, which a crop moves with the subject), `mean-in-image` and
            `raw-pixels` (ridge regression from the view's grey levels at low resolution) are the baselines.
        num_labels: Labelled frames that it was fitted to.
        mean_px: Mean distance over located keypoints of the test part, in image pixels.
        low: Of its bootstrap 95 % interval.
        high: Likewise.
        median_px: Median distance.
        num_images: Test frames.
        num_groups: Groups (videos) that they are of.
    """

    regressor: str
    num_labels: int
    mean_px: float
    low: float
    high: float
    median_px: float
    num_images: int
    num_groups: int


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled frames as numbers.

    Attributes:
        landmarks: (n, 2K), shares of the view.
        pixels: (n, P), the view at low resolution, in [0, 1].
        points: (n, 2J), shares of the view.
        known: (n, 2J) bool.
        views: Of each frame.
        groups: Of each frame, for resampling.
    """

    landmarks: Array
    pixels: Array
    points: Array
    known: Array
    views: list[View]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: Sequence[int]) -> "Labelled":
        return Labelled(
            self.landmarks[rows], self.pixels[rows], self.points[rows], self.known[rows],
            [self.views[row] for row in rows], [self.groups[row] for row in rows],
        )  # fmt: skip


def read_labelled(parts: Sequence[Cases], landmarks: Landmarks, label: str) -> Labelled:
    """The frames of all parts, one after the other."""
    arrays: list[tuple[Array, ...]] = []
    views: list[View] = []
    groups: list[str] = []
    device = next(landmarks.model.parameters()).device
    total = sum(-(-len(cases) // BATCH) for cases in parts)
    batches = chain.from_iterable(each_once(cases, BATCH) for cases in parts)
    for batch in progress(batches, total, label, "batches"):
        means = landmarks.predict(batch.to(device))["landmarks"][:, : 2 * landmarks.num_landmarks]
        small = torch.nn.functional.interpolate(batch.image, RAW_PIXELS, mode="area").mean(1).flatten(1)
        numbers = (means.cpu(), small, batch.targets["points"])
        arrays.append((*(one.double().numpy() for one in numbers), batch.targets["points_weight"].numpy() > 0))
        views += [view for (view,) in batch.views]
        groups += [item.sample.group for item in batch.items]
    seen, pixels, points, known = (np.concatenate(some) for some in zip(*arrays, strict=True))
    return Labelled(seen, pixels, points, known, views, groups)


def label_curve(
    frames: Labelled, parts: Sequence[tuple[Sequence[int], Sequence[int]]], counts: Sequence[int]
) -> list[CurvePoint]:
    """Errors of every regressor and baseline, pooled over the test parts.

    Args:
        frames: All.
        parts: Which of them are trained and tested on: one pair, or one for each block.
        counts: Numbers of evenly spaced training frames to fit to; the fewest that all parts have is added.
    """
    fewest = min(len(train) for train, _ in parts)
    curve = []
    for count in [*(n for n in counts if n < fewest), fewest]:
        chosen = [(frames[evenly_spaced(train, count)], frames[test]) for train, test in parts]
        for name in (*REGRESSORS, *BASELINES):
            curve.append(_point(name, count, [(answered_places(name, some, test), test) for some, test in chosen]))
    return curve


def curve_table(curve: Sequence[CurvePoint]) -> str:
    """The curve as text: a row for each regressor, a column for each number of labels."""
    counts = sorted({point.num_labels for point in curve})
    number = counts_text(curve[0].num_images, curve[0].num_groups)
    rows = [f"{'mean error, px':<16}" + "".join(f"{f'{n} labels':>24}" for n in counts) + f"   n = {number}"]
    for name in dict.fromkeys(point.regressor for point in curve):
        own = {point.num_labels: point for point in curve if point.regressor == name}
        cells = (_cell(own[n]) for n in counts)
        rows.append(f"{name:<16}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(rows)


def _cell(point: CurvePoint) -> str:
    """Without an interval where there are too few frames for one."""
    return f"{point.mean_px:.1f}" + (f" [{point.low:.1f}, {point.high:.1f}]" if np.isfinite(point.low) else "")


def answered_places(name: str, labelled: Labelled, frames: Labelled) -> Array:
    """(n, J, 2): where a regressor or a baseline, fitted to some frames, puts the keypoints of others, in pixels."""
    match name:
        case "mean-position":
            mean = mean_places(labelled.points, labelled.known)
            return _in_image(np.tile(mean, (len(frames), 1)), frames)
        case "mean-in-image":
            places = _in_image(labelled.points, labelled)
            mean = mean_places(places.reshape(len(places), -1), labelled.known)
            return np.tile(mean.reshape(-1, 2), (len(frames), 1, 1))
        case "raw-pixels":
            return _in_image(_fitted(labelled.pixels, labelled, frames.pixels, "ridge"), frames)
    regressor: Regressor = next(one for one in REGRESSORS if one == name)
    return _in_image(_fitted(labelled.landmarks, labelled, frames.landmarks, regressor), frames)


def _fitted(seen: Array, labelled: Labelled, queried: Array, regressor: Regressor) -> Array:
    weights, offset = fit(seen, labelled.points, labelled.known, regressor)
    return np.asarray(queried @ weights + offset)


def _in_image(shares: Array, frames: Labelled) -> Array:
    """(n, J, 2): shares of the views (n, 2J) as image pixels."""
    return np.stack([
        model_to_image(row.reshape(-1, 2) * np.array(view.model_size[::-1]), view)
        for row, view in zip(shares, frames.views, strict=True)
    ])  # fmt: skip


def misses(answer: Array, frames: Labelled) -> tuple[Array, Array]:
    """Which keypoints are located, bool (num_frames, K), and the distance of an answer to them in px, likewise."""
    located = frames.known.reshape(len(frames), -1, 2)[..., 0]
    return located, np.linalg.norm(answer - _in_image(frames.points, frames), axis=-1)


def _point(name: str, num_labels: int, answered: Sequence[tuple[Array, Labelled]]) -> CurvePoint:
    groups = [group for _, frames in answered for group in frames.groups]
    located, distance = (np.concatenate(values) for values in zip(*(misses(*one) for one in answered), strict=True))
    rows, distances = np.stack([np.where(located, distance, 0).sum(1), located.sum(1)], axis=1), distance[located]
    low, high = interval(rows, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1e-12), groups)
    return CurvePoint(name, num_labels, float(distances.mean()), low, high, float(np.median(distances)),
                      len(rows), len(set(groups)))  # fmt: skip
