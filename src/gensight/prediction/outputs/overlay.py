"""The one rule by which a prediction is drawn on its image."""

import numpy as np

from gensight.drawing import draw_gaze, draw_heatmaps, overlay
from gensight.encodings.gaze import MAP
from gensight.samples import Array, Prediction


def draw_prediction(image: Array, prediction: Prediction) -> Array:
    """uint8 RGB: a (merged) prediction on its image: of gaze the map, head and line to the target; edges as heat;
    anything else as `gensight.drawing.overlay` draws it."""
    if is_gaze(prediction):
        return _draw_people(image, prediction)
    drawn = overlay(image, prediction)
    if "edges" in prediction.maps:
        drawn = draw_heatmaps(drawn, prediction.maps["edges"], (0.0, 1.0))
    return drawn


def is_gaze(prediction: Prediction) -> bool:
    """Whether this is a prediction of gaze."""
    return bool(prediction.instances) and all(
        one.gaze is not None and one.gaze.in_frame_probability is not None for one in prediction.instances
    )


def _draw_people(image: Array, prediction: Prediction) -> Array:
    """The maps are those of people who look into the image."""
    picture = image
    people = prediction.instances
    maps = [score for name, score in prediction.maps.items() if name.split("-")[0] == MAP]
    for score, one in zip(maps, people, strict=False):
        if one.gaze is not None and one.gaze.in_frame:
            low, high = float(np.min(score.values)), float(np.max(score.values))
            picture = draw_heatmaps(picture, score, (low, max(high, low + 1e-6)))
    for one in people:
        assert one.gaze is not None  # is_gaze has seen it
        picture = draw_gaze(picture, one.gaze, one.head_box)
    return picture
