"""An answer as layers over its image, all drawn by `gensight.drawing` at a size that suits a screen."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from gensight.drawing import closeup, draw_depth, draw_heatmaps, draw_names, map_picture, overlay
from gensight.encodings.gaze import MAP
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.panels import shrunk
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.samples import Array, Instance, Prediction, Sample, ScoreMap, Size, View

SHOWN_SIDE = 1600  # pixels: longest side of the pictures on the page
NARROW_SCALE = 1.6  # of letters on narrow screens
SMALL_SIDE = 960  # smaller images are enlarged by a whole number, up to this


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture to lie over the image.

    Attributes:
        name: On its switch.
        picture: uint8 RGBA (height, width, 4).
        shown: Whether it is on at first.
        narrow: The same for narrow screens, with larger letters; None: the same picture.
    """

    name: str
    picture: Array
    shown: bool = True
    narrow: Array | None = None


def shown_image(image: Array) -> Array:
    """The image as the page shows it: a small one enlarged without blur, a large one shrunk."""
    factor = SMALL_SIDE // max(image.shape[:2])
    if factor > 1:
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return shrunk(image, SHOWN_SIDE)


def layers_of(image: Array, prediction: Prediction, truth: Prediction | None = None) -> list[Layer]:
    """The layers of a prediction, in the size of `shown_image`, the topmost first; those that hold something.

    Args:
        image: uint8 RGB, in its own size.
        prediction: In its frame.
        truth: What is known of the image, likewise.
    """
    shown = shown_image(image)
    moved = _moved(image, prediction, shown)
    found = [one.keypoints for one in moved.instances if one.keypoints is not None]
    size = (shown.shape[0], shown.shape[1])
    drawn = transparent(lambda canvas: draw_prediction(canvas, moved, legend=False, faint=True), size)
    names = transparent(lambda canvas: draw_names(canvas, found), size)
    large = transparent(lambda canvas: draw_names(canvas, found, NARROW_SCALE), size)
    layers = [Layer("Names", names, narrow=large), Layer("Answer", drawn)]
    if truth is not None:
        true = _moved(image, truth, shown)
        layers.append(Layer("Ground truth", transparent(lambda canvas: draw_truth(canvas, true), size), False))
    if (mapped := draw_map(shown, moved)) is not None:
        layers.append(Layer("Map", _opaque(mapped), False))
    return [one for one in layers if one.picture[..., 3].any()]


def transparent(draw: Callable[[Array], Array], size: Size) -> Array:
    """uint8 RGBA: what a drawing adds to any image, from the same drawing on black and on white.

    Args:
        draw: Blends marks into uint8 RGB pictures of that size, the same marks into each.
        size: (height, width).
    """
    dark, light = (draw(np.full((*size, 3), value, np.uint8)).astype(np.float32) for value in (0, 255))
    alpha = np.clip(255 - (light - dark).mean(-1, keepdims=True), 0, 255)
    colour = np.clip(dark * 255 / np.maximum(alpha, 1), 0, 255)
    return np.rint(np.concatenate([colour, alpha], axis=-1)).astype(np.uint8)


def flattened(image: Array, layers: list[Layer]) -> Array:
    """uint8 RGB: an image in the size of `shown_image` with the layers that are on at first."""
    picture: Array = image.astype(np.float32)
    for one in reversed(layers):
        if one.shown:
            alpha = one.picture[..., 3:].astype(np.float32) / 255
            picture = picture * (1 - alpha) + one.picture[..., :3] * alpha
    return np.rint(picture).astype(np.uint8)


def draw_map(image: Array, prediction: Prediction) -> Array | None:
    """uint8 RGB: what the model put out, by itself: painted pictures, depth, or heatmaps on the image; None without."""
    if painted := [*prediction.maps_of(OUTPUT), *(one for one in prediction.maps.values() if one.kind != "scores")]:
        return np.maximum.reduce([_painted(score) for score in painted])
    if prediction.depth is not None:
        return draw_depth(prediction.depth)
    if heat := [*prediction.maps_of("heatmaps"), *prediction.maps_of(MAP)]:
        return np.maximum.reduce([draw_heatmaps(image, score) for score in heat])
    return None


def draw_truth(canvas: Array, truth: Prediction) -> Array:
    """uint8 RGB: ground truth drawn on a picture: keypoints as rings, anything else as a prediction of it."""
    posed = tuple(one for one in truth.instances if one.keypoints is not None)
    others = tuple(one for one in truth.instances if one.keypoints is None)
    nothing = Prediction(truth.sample_key, truth.size)
    picture = overlay(canvas, nothing, Sample(truth.sample_key, truth.size, lambda: canvas, posed))
    rest = Prediction(truth.sample_key, truth.size, others, truth.depth, truth.label_scores, maps=truth.maps)
    return draw_prediction(picture, rest, legend=False)


def truth_of(sample: Sample, truths: tuple[str, ...]) -> Prediction | None:
    """What is known of a sample, of those truths that a run is about, as if it had been predicted; None: nothing.

    Args:
        sample: With its annotations.
        truths: As `EncodingFacts.truths` names them.
    """
    instances = tuple(_known(one, truths) for one in sample.instances or ())
    instances = tuple(one for one in instances if any(_fields(one)))
    depth = sample.depth() if "depth" in truths and sample.depth is not None else None
    maps = {}
    if "edges" in truths and sample.edges is not None:
        maps["edges"] = ScoreMap(sample.edges()[None], View(sample.size, sample.size, np.eye(3)), "drawing")
    labels = {sample.label: 1.0} if sample.label is not None and "label" in truths else None
    if not (instances or depth or maps or labels):
        return None
    return Prediction(sample.key, sample.size, instances, depth, labels, maps=maps)


def _known(one: Instance, truths: tuple[str, ...]) -> Instance:
    return Instance(
        one.category,
        box=one.box if "boxes" in truths and "keypoints" not in truths else None,
        keypoints=one.keypoints if "keypoints" in truths else None,
        mask=one.mask if "masks" in truths else None,
        head_box=one.head_box if "gaze" in truths else None,
        gaze=one.gaze if "gaze" in truths else None,
    )


def _fields(one: Instance) -> list[bool]:
    return [field is not None for field in (one.box, one.keypoints, one.mask, one.gaze)]


def _moved(image: Array, prediction: Prediction, shown: Array) -> Prediction:
    """A prediction in the frame of the picture that is shown."""
    if image.shape == shown.shape:
        return prediction
    whole = np.array([0.0, 0.0, image.shape[1], image.shape[0]])
    _, moved, _ = closeup(image, prediction, None, whole, max(shown.shape[:2]))
    return moved


def _opaque(picture: Array) -> Array:
    return np.concatenate([picture, np.full((*picture.shape[:2], 1), 255, np.uint8)], axis=-1)


def _painted(score: ScoreMap) -> Array:
    picture = map_picture(score)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else np.ascontiguousarray(picture[..., :3])
