"""The one rule for drawing a prediction on its image, and its legend."""

from typing import Literal, NamedTuple

import numpy as np

from gensight.drawing import canvas, overlay
from gensight.drawing.palette import BLACK, CYCLE, SIDES, WHITE, Colour, sides
from gensight.encodings.gaze import draw_gaze_prediction, is_gaze
from gensight.samples import Array, Keypoints, Prediction, Visibility

LEAST_SIDE = 160  # pixels: a smaller picture has no room for a legend


def draw_prediction(image: Array, prediction: Prediction, legend: bool = True, faint: bool = False) -> Array:
    """uint8 RGB: a (merged) prediction on its image: of gaze the map, head and line to the target; anything else as
    `gensight.drawing.overlay` draws it.

    Args:
        image: uint8 RGB.
        prediction: In its frame.
        legend: Whether to write a legend where keypoints are hidden or not shown.
        faint: See `overlay`.
    """
    if is_gaze(prediction):
        return draw_gaze_prediction(image, prediction)
    picture, text = overlay(image, prediction, faint=faint), legend_of(prediction) if legend else ""
    if text and min(picture.shape[:2]) >= LEAST_SIDE:
        height = canvas.letter_height(picture)
        text = canvas.shorten(text, picture.shape[1], height)
        canvas.label(picture, text, np.array([0.0, picture.shape[0] - 1.6 * height]), WHITE, BLACK, height)
    return picture


def legend_of(prediction: Prediction) -> str:
    """What cannot be seen from the dots alone; empty where there is nothing to say."""
    found = _keypoints(prediction)
    absent, total = sum(int((~one.located).sum()) for one in found), sum(len(one.points) for one in found)
    notes = ["dark centre: hidden"] if _any_hidden(found) else []
    notes += [f"{absent} of {total} keypoints not found"] if absent else []
    return "; ".join(notes)


class LegendEntry(NamedTuple):
    """A mark of the drawing and its meaning.

    Attributes:
        mark: Its form: a `dot`, one that fades (`fade`) or has a dark centre (`hidden`), a `dashed` or solid `ring`, a
            `line`, or a `ramp` of colours from near to far.
        colour: RGB; of a ramp that of its first end.
        text: Its meaning.
    """

    mark: Literal["dot", "fade", "hidden", "dashed", "ring", "line", "ramp"]
    colour: Colour
    text: str


def legend_entries(prediction: Prediction) -> list[LegendEntry]:
    """The marks that `draw_prediction` uses for a prediction."""
    found = _keypoints(prediction)
    entries = []
    for side, colour in SIDES.items():
        used = any(side in sides(one.skeleton) for one in found)
        if used and any(set(sides(one.skeleton)) != {"middle"} for one in found):
            entries.append(LegendEntry("dot", colour, "midline" if side == "middle" else f"the subject's {side}"))
    if _any_hidden(found):
        entries.append(LegendEntry("hidden", WHITE, "dark centre: hidden behind something"))
    absent, total = sum(int((~one.located).sum()) for one in found), sum(len(one.points) for one in found)
    if absent:
        text = f"faint: below the threshold, a guess ({absent} of {total})"
        entries.append(LegendEntry("dashed", WHITE, text))
    if found:
        entries.append(LegendEntry("fade", WHITE, "more transparent: less confident"))
    if is_gaze(prediction):
        entries.append(LegendEntry("line", CYCLE[1], "from the head to where the person looks"))
    if prediction.depth is not None:
        entries.append(LegendEntry("ramp", (253, 231, 37), "near to far"))  # viridis, as in `draw_depth`
    return entries


def _keypoints(prediction: Prediction) -> list[Keypoints]:
    return [one.keypoints for one in prediction.instances if one.keypoints is not None]


def _any_hidden(found: list[Keypoints]) -> bool:
    return any(bool((one.visibility == Visibility.OCCLUDED).any()) for one in found)
