"""Linear regression from landmarks to a few labelled keypoints, by named rule.

Landmarks and keypoints are shares of the same view, from 0 to 1. The origin matters where there is no intercept, so
it is part of a rule's name.
"""

from typing import Literal, get_args

import numpy as np

from gensight.errors import DataError
from gensight.samples import Array

Regressor = Literal["linear", "linear-corner", "affine", "ridge"]
REGRESSORS: tuple[Regressor, ...] = get_args(Regressor)
_STRENGTHS = 10.0 ** np.arange(-8.0, 3.0, 0.5)


def fit(landmarks: Array, points: Array, known: Array, regressor: Regressor) -> tuple[Array, Array]:
    """Weights (2K, 2J) and offset (2J,) such that points = landmarks @ weights + offset.

    - `linear`: no intercept, coordinates counted from the view's centre (as published for BBC Pose).
    - `linear-corner`: no intercept, coordinates counted from the view's top left corner.
    - `affine`: least squares with intercept; the shortest solution where there are fewer frames than unknowns.
    - `ridge`: with intercept; the weights' squared norm is penalised by what leave-one-out error chooses, from the
      labelled frames alone.

    Args:
        landmarks: (n, 2K).
        points: (n, 2J); anything where unknown.
        known: (n, 2J) bool.
        regressor: The rule.

    A keypoint that no frame knows is put at the mean of all that are known.

    Raises:
        DataError: If no keypoint is labelled.
    """
    if not known.any():
        raise DataError("no keypoint is labelled in these frames", hint="choose frames that show the subject")
    count = points.shape[1]
    weights, offset = np.zeros((landmarks.shape[1], count)), mean_places(points, known)
    for column in range(count):
        rows = known[:, column]
        if rows.any():
            weights[:, column], offset[column] = _fit_one(landmarks[rows], points[rows, column], regressor)
    return weights, offset


def mean_places(points: Array, known: Array) -> Array:
    """(2J,): each value's mean over the frames that know it; else over all keypoints, along its axis."""
    axes = np.arange(points.shape[1]) % 2
    overall = np.array([np.where(known, points, 0)[:, axes == a].sum() / known[:, axes == a].sum() for a in (0, 1)])
    sums, counts = np.where(known, points, 0).sum(0), known.sum(0)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), overall[axes]))


def _fit_one(landmarks: Array, values: Array, regressor: Regressor) -> tuple[Array, float]:
    match regressor:
        case "linear" | "linear-corner":
            mean = 0.5 if regressor == "linear" else 0.0
            centre = np.full(landmarks.shape[1], mean)
        case "affine" | "ridge":
            centre, mean = landmarks.mean(0), float(values.mean())
    design, residual = landmarks - centre, values - mean
    weights = _ridge(design, residual) if regressor == "ridge" else np.linalg.lstsq(design, residual, rcond=None)[0]
    return weights, float(mean - centre @ weights)


def _ridge(design: Array, values: Array) -> Array:
    """Least leave-one-out error over a ladder of strengths, in closed form (Golub, Heath and Wahba 1979)."""
    if len(values) == 1:
        return np.zeros(design.shape[1])
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    against = left.T @ values
    kept = singular**2 / (singular**2 + _STRENGTHS[:, None])
    residuals = values - (kept * against) @ left.T
    leverages = np.minimum(1 / len(values) + kept @ (left**2).T, 1 - 1e-9)  # 1/n: the mean is fitted as well
    strength = _STRENGTHS[((residuals / (1 - leverages)) ** 2).mean(1).argmin()]
    return np.asarray(right.T @ (singular / (singular**2 + strength) * against))
