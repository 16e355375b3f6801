"""Boxes, masks and gazes."""

from collections.abc import Sequence

import cv2
import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.palette import CYCLE, INK, category_colours, cycled, ink_on
from gensight.errors import DataError
from gensight.geometry import box_corners
from gensight.samples import Array, Gaze


def draw_boxes(image: Array, boxes: Array, labels: Sequence[str] = (), confidences: Sequence[float] = ()) -> Array:
    """Boxes with their labels above.

    Args:
        image: uint8 RGB or grey.
        boxes: (n, 4) of (x_min, y_min, x_max, y_max) in image pixels; those with NaN are left out.
        labels: n category names; the same name has the same colour. Or none.
        confidences: n numbers in [0, 1], written behind the labels. Or none.

    Raises:
        DataError: `labels` or `confidences` are neither n nor none.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    _check_counts(len(boxes), labels=labels, confidences=confidences)
    picture = draw.as_canvas(image)
    height, unit = draw.letter_height(picture), draw.unit(picture)
    colours = category_colours(labels) if labels else [cycled(index) for index in range(len(boxes))]
    for index, (box, colour) in enumerate(zip(boxes, colours, strict=True)):
        corners = box_corners(box)
        if not draw.drawable(corners).all():
            continue
        draw.outline(picture, corners, INK, 3 * unit, 0.6)
        draw.outline(picture, corners, colour, 1.6 * unit)
        words = [labels[index]] if labels else []
        if confidences:
            words.append(f"{confidences[index]:.2f}")
        if words:
            corner = corners[0] - [unit, height * 1.4 + unit]
            draw.label(picture, " ".join(words), corner, ink_on(colour), colour, height)
    return picture


def draw_masks(image: Array, masks: Sequence[Array], labels: Sequence[str] = (), opacity: float = 0.45) -> Array:
    """Masks as tinted regions with a solid outline.

    Args:
        image: uint8 RGB or grey (height, width).
        masks: bool (height, width) each, later ones on top.
        labels: One category name per mask: the same name has the same colour. Or none: each mask has its own.
        opacity: Of the tint, in [0, 1].

    Raises:
        DataError: A mask has another size than the image, or the counts differ.
    """
    _check_counts(len(masks), labels=labels)
    picture = draw.as_canvas(image)
    colours = category_colours(labels) if labels else [cycled(index) for index in range(len(masks))]
    width = max(1, round(1.5 * draw.unit(picture)))
    for mask, colour in zip(masks, colours, strict=True):
        if mask.shape != picture.shape[:2]:
            raise DataError(f"a mask of size {mask.shape} cannot be drawn on an image of size {picture.shape[:2]}")
        draw.tint(picture, mask.astype(bool), colour, opacity)
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, width, cv2.LINE_AA)
    return picture


def draw_gaze(image: Array, gaze: Gaze, head_box: Array | None = None) -> Array:
    """The head, a line from the eye to where it looks, and a ring at each annotator's (or the predicted) target.

    The line starts at `gaze.eye`, or at the head's centre; it ends at the mean target. A gaze out of the frame has no
    line, but a text label at the head.
    """
    picture, colour = draw.as_canvas(image), CYCLE[1]
    unit, height = draw.unit(picture), draw.letter_height(picture)
    start = gaze.eye
    if head_box is not None:
        picture = draw_boxes(picture, head_box)
        start = box_corners(head_box).mean(0) if start is None else start
    targets = np.asarray(gaze.points, dtype=np.float64).reshape(-1, 2)
    targets = targets[draw.drawable(targets)]
    if gaze.in_frame is False:
        if start is not None:
            draw.label(picture, "looks out of frame", start, ink_on(colour), colour, height)
        return picture
    if start is not None and len(targets):
        draw.edged_line(picture, start, targets.mean(0), colour, 2 * unit)
        draw.dot(picture, start, 3 * unit, colour)
    for target in targets:
        draw.ring(picture, target, 6 * unit, INK, 3.2 * unit, 0.7)
        draw.ring(picture, target, 6 * unit, colour, 2 * unit)
    return picture


def _check_counts(count: int, **lists: Sequence[object]) -> None:
    for name, values in lists.items():
        if len(values) not in (0, count):
            raise DataError(f"{len(values)} {name} for {count} subjects", hint=f"pass {count} {name}, or none")
