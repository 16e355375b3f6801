"""Errors in pixels: of every model by keypoint, and the items of a run from best to worst."""

from collections.abc import Iterable, Mapping, Sequence
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
        if score.unit == "px" and (found := _collected(row.get("errors", {}) for row in score.rows)):
            return found
    if model is run.metrics.scores[0] and run.predictions is not None:
        listed = (run.errors_px(item) for item in run.predictions.items)
        return _collected({name: [error] for name, error in errors.items()} for errors in listed)
    return {}


def _collected(listed: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, Array]:
    found: dict[str, list[float]] = {}
    for errors in listed:
        for name, values in errors.items():
            found.setdefault(name, []).extend(values)
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def ranked_items(run: Run) -> tuple[list[RankedItem], bool]:
    """The items with known errors, best first, and whether they are ranked relative to their subject's size.

    That is so if every one of them has a true box; else large and small subjects could not be compared fairly, and the
    plain error in pixels ranks them.
    """
    if run.predictions is None:
        return [], False
    known = [(item, _mean_error(run, item)) for item in run.predictions.items]
    known = [(item, error) for item, error in known if np.isfinite(error)]
    sides = [_side(item) for item, _ in known]
    relative = bool(known) and all(side is not None for side in sides)
    ranked = [
        RankedItem(item, error, error / side if relative and side is not None else error)
        for (item, error), side in zip(known, sides, strict=True)
    ]
    return sorted(ranked, key=lambda entry: (entry.relative, entry.item.item_key, entry.item.sample_key)), relative


def _mean_error(run: Run, item: PredictedItem) -> float:
    if item.error is not None:
        return item.error
    errors = run.errors_px(item)
    return float(np.mean(list(errors.values()))) if errors else float("nan")


def _side(item: PredictedItem) -> float | None:
    """The square root of the true box's area; None unless it is positive."""
    if len(item.truth) != 1 or item.truth[0].box is None:
        return None
    corners = [corner for corner in item.truth[0].box if corner is not None]
    if len(corners) != 4:
        return None
    area = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return float(np.sqrt(area)) if area > 0 else None
