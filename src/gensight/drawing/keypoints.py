"""Keypoints with limbs: predictions as filled dots, ground truth as rings, errors as lines between the two."""

import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.palette import INK, WHITE, keypoint_colours, limb_colours
from gensight.errors import DataError
from gensight.samples import Array, Keypoints, Visibility


def draw_keypoints(
    image: Array,
    keypoints: Keypoints,
    threshold: float = 0.0,
    other: Keypoints | None = None,
    scale: float = 1.0,
    faint: bool = False,
) -> Array:
    """One subject's keypoints on its image.

    A keypoint is a filled dot, more transparent the less confident it is, with a dark centre where it is occluded. Its
    colour marks the subject's left (blue), right (orange) and middle (yellow); a skeleton without sides gets one
    colour per keypoint. `other` is drawn as rings (dashed where occluded), with a white line from each ring to the dot
    of the same keypoint.

    Args:
        image: uint8 RGB (height, width, 3), or grey.
        keypoints: Unlabelled ones, and those that are NaN or far away, are not drawn.
        threshold: Keypoints less confident than this are not drawn.
        other: Ground truth of the same skeleton, or None.
        scale: Size of the marks; 1 suits a whole scene, more a close-up.
        faint: Whether absent keypoints, too, are drawn at their best guess, as faint dashed rings without limbs.

    Returns:
        A new uint8 RGB image of the same size.

    Raises:
        DataError: `other` has another number of keypoints, or the image cannot be drawn on.
    """
    if other is not None and len(other.points) != len(keypoints.points):
        raise DataError(
            f"{len(keypoints.points)} keypoints of {keypoints.skeleton.name} cannot be compared with "
            f"{len(other.points)} of {other.skeleton.name}",
            hint="compare keypoints of one skeleton",
        )
    picture = draw.as_canvas(image)
    unit = scale * draw.unit(picture)
    shown = keypoints.located & draw.drawable(keypoints.points) & (keypoints.confidence >= threshold)
    _draw_limbs(picture, keypoints, shown, unit)
    if other is not None:
        known = other.located & draw.drawable(other.points)
        for index in np.flatnonzero(shown & known):
            draw.edged_line(picture, keypoints.points[index], other.points[index], WHITE, 0.85 * unit)
        _draw_rings(picture, other, known, unit)
    if faint:
        _draw_guesses(picture, keypoints, unit)
    _draw_dots(picture, keypoints, shown, unit)
    return picture


def _opacity(confidence: float) -> float:
    return 0.3 + 0.7 * float(np.clip(np.nan_to_num(confidence), 0, 1))


def _draw_limbs(picture: Array, keypoints: Keypoints, shown: Array, unit: float) -> None:
    for (a, b), colour in zip(keypoints.skeleton.edges, limb_colours(keypoints.skeleton), strict=True):
        if shown[a] and shown[b]:
            opacity = 0.75 * _opacity(float(min(keypoints.confidence[a], keypoints.confidence[b])))
            draw.edged_line(picture, keypoints.points[a], keypoints.points[b], colour, 1.6 * unit, opacity)


def _draw_rings(picture: Array, truth: Keypoints, known: Array, unit: float) -> None:
    colours = keypoint_colours(truth.skeleton)
    for index in np.flatnonzero(known):
        occluded = bool(truth.visibility[index] == Visibility.OCCLUDED)
        draw.ring(picture, truth.points[index], 5 * unit, INK, 2.6 * unit, 0.7, occluded)
        draw.ring(picture, truth.points[index], 5 * unit, colours[index], 1.4 * unit, 1.0, occluded)


def _draw_guesses(picture: Array, keypoints: Keypoints, unit: float) -> None:
    colours = keypoint_colours(keypoints.skeleton)
    for index in np.flatnonzero((keypoints.visibility == Visibility.ABSENT) & draw.drawable(keypoints.points)):
        draw.ring(picture, keypoints.points[index], 3 * unit, INK, 1.8 * unit, 0.3)
        draw.ring(picture, keypoints.points[index], 3 * unit, colours[index], unit, 0.6, dashed=True)


def _draw_dots(picture: Array, keypoints: Keypoints, shown: Array, unit: float) -> None:
    colours = keypoint_colours(keypoints.skeleton)
    for index in np.flatnonzero(shown):
        point, opacity = keypoints.points[index], _opacity(float(keypoints.confidence[index]))
        draw.dot(picture, point, 3.6 * unit, INK, 0.7 * opacity)
        draw.dot(picture, point, 2.8 * unit, colours[index], opacity)
        if keypoints.visibility[index] == Visibility.OCCLUDED:
            draw.dot(picture, point, 1.3 * unit, INK, opacity)
