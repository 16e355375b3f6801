"""Errors in pixels: of every model by keypoint, and the items of a run from best to worst."""

from dataclasses import dataclass

import numpy as np

from gensight.report.results import ModelScores, PredictedItem, Run
from gensight.samples import Array


@dataclass(frozen=True, eq=False)
class RankedItem:
    """An item and its error.

    Attributes:
        item: The item.
        mean_px: Mean error of its labelled keypoints in image pixels; else the item's own error, in its own unit.
        relative: The same over the square root of the true box's area; equal to `mean_px` where boxes are unknown.
    """

    item: PredictedItem
    mean_px: float
    relative: float


def errors_by_keypoint(run: Run, model: ModelScores) -> dict[str, Array]:
    """Keypoint name -> the errors of one model in image pixels, in any order.

    They come from the rows of a pixel protocol (`mean-px`, `median-px`, `rmse-px`: each row's `errors`); for the
    trained model also from `predictions.json`. Empty where neither knows them.
    """
    for score in model.results:
        if score.unit != "px":
            continue
        found: dict[str, list[float]] = {}
        for row in score.rows:
            errors = row.get("errors")
            for name, values in errors.items() if isinstance(errors, dict) else ():
                listed = values if isinstance(values, list) else [values]
                found.setdefault(name, []).extend(v for v in listed if isinstance(v, int | float))
        if found:
            return {name: np.array(values, dtype=np.float64) for name, values in found.items()}
    if model is run.metrics.scores[0]:
        return _errors_of_predictions(run)
    return {}


def _errors_of_predictions(run: Run) -> dict[str, Array]:
    if run.predictions is None or run.predictions.skeleton is None:
        return {}
    found: dict[str, list[float]] = {}
    for item in run.predictions.items:
        for name, error in zip(run.predictions.skeleton.keypoints, item.error_px or (), strict=False):
            if error is not None and np.isfinite(error):
                found.setdefault(name, []).append(error)
    return {name: np.array(values) for name, values in found.items()}


def ranked_items(run: Run) -> tuple[list[RankedItem], bool]:
    """The items with known errors, best first, and whether they are ranked relative to their subject's size.

    That is so if every one of them has a true box; else large and small subjects could not be compared fairly, and the
    plain error in pixels ranks them.
    """
    if run.predictions is None:
        return [], False
    known = [(item, _mean_error(item)) for item in run.predictions.items]
    known = [(item, error) for item, error in known if np.isfinite(error)]
    sides = [_side(item) for item, _ in known]
    relative = bool(known) and all(side is not None for side in sides)
    ranked = [
        RankedItem(item, error, error / side if relative and side is not None else error)
        for (item, error), side in zip(known, sides, strict=True)
    ]
    return sorted(ranked, key=lambda entry: (entry.relative, entry.item.item_key, entry.item.sample_key)), relative


def _mean_error(item: PredictedItem) -> float:
    if item.error is not None:
        return item.error
    errors = [error for error in item.error_px or () if error is not None and np.isfinite(error)]
    return float(np.mean(errors)) if errors else float("nan")


def _side(item: PredictedItem) -> float | None:
    """The square root of the true box's area; None unless it is positive."""
    if len(item.truth) != 1 or item.truth[0].box is None:
        return None
    corners = [corner for corner in item.truth[0].box if corner is not None]
    if len(corners) != 4:
        return None
    area = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return float(np.sqrt(area)) if area > 0 else None
