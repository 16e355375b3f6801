"""The one rule for drawing a prediction on its image."""

import numpy as np

from gensight.drawing import canvas, overlay
from gensight.drawing.palette import BLACK, WHITE
from gensight.encodings.gaze import draw_gaze_prediction, is_gaze
from gensight.samples import Array, Prediction, Visibility

LEAST_SIDE = 160  # pixels: a smaller picture has no room for a legend


def draw_prediction(image: Array, prediction: Prediction) -> Array:
    """uint8 RGB: a (merged) prediction on its image: of gaze the map, head and line to the target; anything else as
    `gensight.drawing.overlay` draws it, with a legend where keypoints are hidden or not shown."""
    if is_gaze(prediction):
        return draw_gaze_prediction(image, prediction)
    picture, legend = overlay(image, prediction), legend_of(prediction)
    if legend and min(picture.shape[:2]) >= LEAST_SIDE:
        height = canvas.letter_height(picture)
        text = canvas.shorten(legend, picture.shape[1], height)
        canvas.label(picture, text, np.array([0.0, picture.shape[0] - 1.6 * height]), WHITE, BLACK, height)
    return picture


def legend_of(prediction: Prediction) -> str:
    """What cannot be seen from the dots alone; empty where there is nothing to say."""
    found = [one.keypoints for one in prediction.instances if one.keypoints is not None]
    hidden = any((one.visibility == Visibility.OCCLUDED).any() for one in found)
    absent, total = sum(int((~one.located).sum()) for one in found), sum(len(one.points) for one in found)
    notes = ["dark centre: hidden"] if hidden else []
    notes += [f"{absent} of {total} keypoints not found"] if absent else []
    return "; ".join(notes)
