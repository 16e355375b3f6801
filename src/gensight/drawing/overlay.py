"""A prediction on its image, beside the ground truth where it is known."""

import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.keypoints import draw_keypoints
from gensight.drawing.maps import draw_depth, draw_heatmaps, map_picture
from gensight.drawing.palette import BLACK, WHITE
from gensight.drawing.regions import draw_boxes, draw_gaze, draw_masks
from gensight.samples import Array, Instance, Keypoints, Prediction, Sample


def overlay(
    image: Array,
    prediction: Prediction,
    truth: Sample | None = None,
    threshold: float = 0.0,
    scale: float = 1.0,
    faint: bool = False,
) -> Array:
    """All fields of a prediction, drawn on its image.

    From below: depth, maps that are pictures, masks, boxes (only of subjects that are nothing more than a box), gaze,
    keypoints, the most likely label, grey drawings (edges). Each predicted subject's keypoints are compared with the
    nearest true subject of the same skeleton, each taken once; true subjects that nobody found show as rings alone.

    Args:
        image: uint8 RGB or grey, upright, the one that was predicted.
        prediction: In this image's frame.
        truth: The sample with its annotations, or None.
        threshold: Keypoints less confident than this are not drawn.
        scale: Size of the keypoints' marks; 1 suits a whole scene, more a close-up.
        faint: Whether predicted keypoints that are absent are drawn, too, as faint dashed rings.

    Returns:
        A new uint8 RGB image of the same size.
    """
    picture = draw.as_canvas(image)
    if prediction.depth is not None and prediction.depth.values.shape == picture.shape[:2]:
        picture = np.rint(0.35 * picture + 0.65 * draw_depth(prediction.depth)).astype(np.uint8)
    for shown in prediction.maps.values():
        if shown.kind == "picture" and tuple(shown.view.image_size) == picture.shape[:2]:
            picture = np.rint(0.35 * picture + 0.65 * map_picture(shown)).astype(np.uint8)
    masked = [instance for instance in prediction.instances if instance.mask is not None]
    masks = [instance.mask() for instance in masked if instance.mask is not None]
    picture = draw_masks(picture, masks, [instance.category for instance in masked])
    boxed = [instance for instance in prediction.instances if _is_box_only(instance)]
    if boxed:
        boxes = np.array([instance.box for instance in boxed])
        confidences = [instance.confidence for instance in boxed]
        picture = draw_boxes(picture, boxes, [instance.category for instance in boxed], confidences)
    for instance in prediction.instances:
        if instance.gaze is not None:
            picture = draw_gaze(picture, instance.gaze, instance.head_box)
    picture = _with_keypoints(picture, prediction, truth, threshold, scale, faint)
    if prediction.label_scores:
        name, score = max(prediction.label_scores.items(), key=lambda entry: entry[1])
        draw.label(picture, f"{name} {score:.2f}", np.zeros(2), WHITE, BLACK, draw.letter_height(picture))
    for drawing in prediction.maps.values():
        if drawing.kind == "drawing" and len(drawing.values) == 1:  # a skeleton's keypoints are drawn already
            picture = draw_heatmaps(picture, drawing, (0.0, 1.0))
    return picture


def match_keypoints(predicted: list[Keypoints], true: list[Keypoints]) -> list[int | None]:
    """For each predicted subject the index of its true one, or None: nearest pairs first, each used once.

    Nearness is the mean distance over the keypoints that both have located; subjects of other skeletons never match.
    """
    pairs = [
        (_mean_distance(a, b), i, j)
        for i, a in enumerate(predicted)
        for j, b in enumerate(true)
        if len(a.points) == len(b.points)
    ]
    matches: list[int | None] = [None] * len(predicted)
    for distance, i, j in sorted(pairs):
        if np.isfinite(distance) and matches[i] is None and j not in matches:
            matches[i] = j
    return matches


def _mean_distance(a: Keypoints, b: Keypoints) -> float:
    both = a.located & b.located & draw.drawable(a.points) & draw.drawable(b.points)
    if not both.any():
        return float("inf")
    return float(np.linalg.norm(a.points[both] - b.points[both], axis=-1).mean())


def _is_box_only(instance: Instance) -> bool:
    finer = (instance.keypoints, instance.mask, instance.gaze)
    return instance.box is not None and all(part is None for part in finer)


def _with_keypoints(
    picture: Array, prediction: Prediction, truth: Sample | None, threshold: float, scale: float, faint: bool
) -> Array:
    predicted = [instance.keypoints for instance in prediction.instances if instance.keypoints is not None]
    instances = truth.instances or () if truth is not None else ()
    true = [instance.keypoints for instance in instances if instance.keypoints is not None]
    matches = match_keypoints(predicted, true)
    for keypoints, match in zip(predicted, matches, strict=True):
        picture = draw_keypoints(picture, keypoints, threshold, None if match is None else true[match], scale, faint)
    for index, missed in enumerate(true):
        if index not in matches:
            # Nothing was predicted: an infinite threshold leaves the rings alone.
            picture = draw_keypoints(picture, missed, np.inf, missed, scale)
    return picture
