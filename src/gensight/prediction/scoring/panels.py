"""One picture of a prediction that is no set of keypoints, beside its truth; and how wrong it is, to rank it by."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from gensight.drawing import contact_sheet, draw_depth, draw_gaze, draw_matches
from gensight.geometry import map_grid_to_image
from gensight.prediction.outputs.overlay import draw_prediction, is_gaze
from gensight.samples import Array, Depth, Item, Prediction

PICTURE_SIDE = 384  # longest side of one image of a panel


@dataclass(frozen=True, eq=False)
class Panel:
    """A drawn prediction.

    Attributes:
        picture: uint8 RGB.
        error: How wrong it is, in `unit`; NaN where the truth is unknown.
        unit: What `error` counts.
    """

    picture: Array
    error: float
    unit: str


def panel(prediction: Prediction, item: Item) -> Panel | None:
    """The panel of a depth map, an edge map, matches, similarities, gaze or a class; None where there is none."""
    if prediction.depth is not None:
        return _depth(prediction.depth, item)
    if prediction.matches is not None:
        return _matches(prediction, item)
    if prediction.similarities is not None:
        return _similarities(prediction.similarities, item)
    if "edges" in prediction.maps:
        return _edges(prediction, item)
    if is_gaze(prediction):
        return _gaze(prediction, item)
    if prediction.label_scores and not prediction.instances:
        return _label(prediction.label_scores, item)
    return None


def _gaze(prediction: Prediction, item: Item) -> Panel:
    """The truth, and the prediction over its map; the error is the distance to the mean target."""
    image, subject = item.sample.image(), item.subject
    found = prediction.instances[0].gaze
    assert subject is not None and found is not None  # is_gaze has seen it
    truth = image if subject.gaze is None else draw_gaze(image, subject.gaze, subject.head_box)
    error = float("nan")
    if subject.gaze is not None and len(subject.gaze.points):
        error = float(np.linalg.norm(found.points[0] - subject.gaze.points.mean(0)) / np.hypot(*item.sample.size))
    pictures = [truth, draw_prediction(image, prediction)]
    return Panel(_sheet(pictures, ["truth", "predicted"]), error, "of the diagonal")


def _label(scores: Mapping[str, float], item: Item) -> Panel:
    """The image under its most probable class; the error is what the true one lacks of certainty."""
    best, truth = max(scores, key=lambda name: scores[name]), item.sample.label
    caption = f"{best} {scores[best]:.2f}"
    if truth is None:
        return Panel(_sheet([item.sample.image()], [caption]), float("nan"), "")
    caption = caption if best == truth else f"{caption} (is {truth})"
    return Panel(_sheet([item.sample.image()], [caption]), 1 - scores.get(truth, 0.0), "probability missed by")


def _depth(depth: Depth, item: Item) -> Panel:
    image = item.sample.image()
    if item.sample.depth is None:
        return Panel(_sheet([image, draw_depth(depth)], ["image", "predicted"]), float("nan"), "")
    truth = item.sample.depth()
    known = np.isfinite(truth.values) & np.isfinite(depth.values) & (truth.values > 0)
    if not known.any():
        return Panel(_sheet([image, draw_depth(depth)], ["image", "predicted"]), float("nan"), "")
    shown = depth if depth.kind == "metric" else _aligned(depth, truth, known)
    near, far = np.percentile(truth.values[known], [2, 98])
    limits = (float(near), float(far))
    error = float(np.mean(np.abs(shown.values[known] - truth.values[known]) / truth.values[known]))
    pictures = [image, draw_depth(truth, limits), draw_depth(shown, limits)]
    return Panel(_sheet(pictures, ["image", "truth", "predicted"]), error, "relative error")


def _aligned(depth: Depth, truth: Depth, known: Array) -> Depth:
    """The inverse depth that was predicted, brought to metres by the least-squares scale and shift."""
    design = np.stack([depth.values[known], np.ones(int(known.sum()))], axis=1)
    scale, shift = np.linalg.lstsq(design, 1 / truth.values[known], rcond=None)[0]
    largest = float(truth.values[known].max())
    inverse = np.maximum(scale * depth.values + shift, 1 / (2 * largest))
    return Depth((1 / inverse).astype(np.float32), "metric")


def _edges(prediction: Prediction, item: Item) -> Panel:
    score = prediction.maps["edges"]
    drawn = _grey(map_grid_to_image(score.values[0], score.view))
    image = item.sample.image()
    if item.sample.edges is None:
        return Panel(_sheet([image, drawn], ["image", "predicted"]), float("nan"), "")
    truth = item.sample.edges()
    error = float(np.abs(map_grid_to_image(score.values[0], score.view) - truth).mean())
    return Panel(_sheet([image, _grey(truth), drawn], ["image", "truth", "predicted"]), error, "mean difference")


def _matches(prediction: Prediction, item: Item) -> Panel:
    assert prediction.matches is not None and item.relation is not None and item.relation.tracks is not None
    first, second = item.samples[:2]
    points, truth = item.relation.tracks[:2]
    errors = np.linalg.norm(prediction.matches.points - truth, axis=1)
    known = errors[np.isfinite(errors)]
    picture = draw_matches(first.image(), second.image(), points, prediction.matches.points, truth)
    return Panel(_shrunk(picture, 2 * PICTURE_SIDE), float(np.median(known)) if len(known) else float("nan"), "px")


def _similarities(similarities: tuple[float, ...], item: Item) -> Panel:
    captions = ["anchor", *(f"similarity {value:.3f}" for value in similarities)]
    pictures = [sample.image() for sample in item.samples]
    error = similarities[1] - similarities[0] if len(similarities) > 1 else -similarities[0]
    return Panel(_sheet(pictures, captions), float(error), "margin missed by")


def _grey(values: Array) -> Array:
    return np.rint(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)


def _sheet(pictures: list[Array], captions: list[str]) -> Array:
    return contact_sheet([_shrunk(picture, PICTURE_SIDE) for picture in pictures], len(pictures), captions, gap=4)


def _shrunk(picture: Array, longest: int) -> Array:
    shrink = longest / max(picture.shape[:2])
    return picture if shrink >= 1 else cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
