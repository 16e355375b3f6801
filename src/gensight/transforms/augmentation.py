"""Random changes of a view and of its pixels, for training. Deterministic in the generator that is passed.

`augment_view` moves pixels, points and boxes together, since it only changes the view; `augment_pixels` changes colours
and covers parts of the picture, which moves nothing.
"""

from dataclasses import dataclass, fields, replace
from functools import cache

import cv2
import numpy as np

from gensight.errors import ConfigError
from gensight.geometry import mirroring, rotation, scaling, translation
from gensight.samples import Array, View

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_TO_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


@dataclass(frozen=True)
class Augmentation:
    """How strongly to augment; every default means: not at all.

    Attributes:
        rotation: Largest turn to either side, degrees, about the model frame's centre.
        scale: Smallest and largest magnification about the model frame's centre, sampled log-uniformly.
        translation: Largest shift to either side, as a share of the model frame's width and height.
        flip: Probability of a left-right flip.
        brightness: All values are multiplied by a factor from [1 - b, 1 + b].
        contrast: Likewise the distance of all values from the image's mean.
        saturation: Likewise the distance of colours from grey.
        hue: Largest turn of the colours to either side, as a share of the circle (0.5 reaches the opposite colour).
        blur: Largest standard deviation of a Gaussian blur, model pixels.
        noise: Largest standard deviation of Gaussian pixel noise, as a share of the full range.
        crop: Of gaze items only (`GazeViews`): probability of a random crop that keeps the head and its target.
        head_jitter: Of gaze items only: each edge of the head box moves by up to half of this share of the box's side.
    """

    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    translation: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    crop: float = 0.0
    head_jitter: float = 0.0

    def __post_init__(self) -> None:
        largest = {"flip": 1, "brightness": 1, "contrast": 1, "saturation": 1, "hue": 0.5, "noise": 1, "crop": 1,
                   "head_jitter": 1}  # fmt: skip
        for name in (field.name for field in fields(self) if field.name != "scale"):
            value, limit = getattr(self, name), largest.get(name, np.inf)
            if not 0 <= value <= limit:
                valid = "at least 0" if limit == np.inf else f"between 0 and {limit}"
                raise ConfigError(f"augmentation {name} must be {valid}, got {value}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ConfigError(f"augmentation scale must be two rising numbers above 0, got {self.scale}")


def augment_view(view: View, augmentation: Augmentation, rng: np.random.Generator) -> View:
    """A randomly turned, scaled, shifted and perhaps flipped view, still one exact affine map.

    Always consumes the same number of random values, so switching one part off leaves the others as they were.
    """
    turn, shift_x, shift_y = rng.uniform(-1, 1, 3)
    low, high = np.log(augmentation.scale)
    scale, flip = float(np.exp(low + (high - low) * rng.random())), rng.random() < augmentation.flip
    height, width = view.model_size
    centre = (width / 2, height / 2)
    matrix = view.matrix
    if augmentation.rotation:
        matrix = rotation(float(turn * augmentation.rotation), centre) @ matrix
    if augmentation.scale != (1.0, 1.0):
        matrix = translation(*centre) @ scaling(scale, scale) @ translation(-centre[0], -centre[1]) @ matrix
    if augmentation.translation:
        share = augmentation.translation
        matrix = translation(float(shift_x * share * width), float(shift_y * share * height)) @ matrix
    if flip:
        matrix = mirroring(float(width)) @ matrix
    return replace(view, matrix=matrix, mirrored=view.mirrored != bool(flip))


def augment_pixels(image: Array, augmentation: Augmentation, rng: np.random.Generator) -> Array:
    """Changes the look of a uint8 RGB model-frame image (height, width, 3); the input is left as it is.

    In order: colours, blur, noise.
    """
    result = _jitter_colours(image, augmentation, rng)
    if augmentation.blur:
        sigma = rng.uniform(0, augmentation.blur)
        if sigma > 0.1:  # below, the kernel is one pixel
            result = cv2.GaussianBlur(result, (0, 0), sigma)
    if augmentation.noise:
        result = _add_noise(result, rng.uniform(0, augmentation.noise), rng)
    return result.copy() if result is image else result


def _jitter_colours(image: Array, augmentation: Augmentation, rng: np.random.Generator) -> Array:
    """Brightness, contrast, saturation and hue are all affine in RGB, so that one matrix pass does them together."""
    brightness, contrast, saturation = (
        1 + rng.uniform(-1, 1) * strength
        for strength in (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    )
    hue = rng.uniform(-1, 1) * augmentation.hue
    if not (augmentation.brightness or augmentation.contrast or augmentation.saturation or augmentation.hue):
        return image
    mean = _LUMA @ np.asarray(cv2.mean(image)[:3])
    offset = mean * brightness * (1 - contrast)
    if not (augmentation.saturation or augmentation.hue):
        table = np.clip(np.arange(256) * brightness * contrast + offset, 0, 255).round().astype(np.uint8)
        return cv2.LUT(image, table)
    matrix = brightness * contrast * _colour_matrix(saturation, hue)
    return cv2.transform(image, np.column_stack([matrix, np.full(3, offset)]).astype(np.float32))


def _colour_matrix(saturation: float, hue: float) -> Array:
    """float64 (3, 3): turns and stretches the chroma plane of YIQ, and leaves the luma alone."""
    angle = 2 * np.pi * hue
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle)
    chroma = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return np.linalg.inv(_TO_YIQ) @ chroma @ _TO_YIQ


def _add_noise(image: Array, share: float, rng: np.random.Generator) -> Array:
    """Gaussian noise from a table of 256 quantiles: ten times faster than drawing normals, and as good at 8 bits."""
    table = np.rint(_normal_quantiles() * share * 255).astype(np.int16)
    ranks = np.frombuffer(rng.bytes(image.size), dtype=np.uint8).reshape(image.shape)
    return cv2.add(image, cv2.LUT(ranks, table), dtype=cv2.CV_8U)


@cache
def _normal_quantiles() -> Array:
    """Of the 256 values of a byte."""
    from scipy.special import ndtri  # slow to import

    quantiles: Array = ndtri((np.arange(256) + 0.5) / 256)
    return quantiles
