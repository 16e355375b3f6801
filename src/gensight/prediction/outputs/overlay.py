"""The one rule for drawing a prediction on its image."""

from gensight.drawing import overlay
from gensight.encodings.gaze import draw_gaze_prediction, is_gaze
from gensight.samples import Array, Prediction


def draw_prediction(image: Array, prediction: Prediction) -> Array:
    """uint8 RGB: a (merged) prediction on its image: of gaze the map, head and line to the target; anything else as
    `gensight.drawing.overlay` draws it."""
    return draw_gaze_prediction(image, prediction) if is_gaze(prediction) else overlay(image, prediction)
