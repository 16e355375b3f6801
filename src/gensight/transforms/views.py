"""Views of a sample: which part of the image the network sees. Each is one exact affine map, nothing rounded.

All functions give a `View`; sizes are (height, width), boxes (x_min, y_min, x_max, y_max) in image pixels.
"""

import math
from dataclasses import replace

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.geometry import box_size, box_to_frame, mirroring, scaling, translation
from gensight.samples import Array, Size, View

MULTIPLE = 64  # of sides that the deepest layers of a latent diffusion model halve evenly
LONGEST = 4096  # px of a fitted side: a thin strip would be enlarged without bound
MIN_BOX_SIDE = 1.0  # px: a thinner box is grown to this, so that a view never divides by zero


def whole_frame(image_size: Size, model_size: Size) -> View:
    """The whole image at its own aspect, as large as fits, centred: bars fill what is left of the model frame."""
    _check_sizes(image_size, model_size)
    scale = min(model_size[0] / image_size[0], model_size[1] / image_size[1])
    centre = (image_size[1] / 2, image_size[0] / 2)
    return View(image_size, model_size, _centred(centre, scale, model_size))


def stretched_frame(image_size: Size, model_size: Size) -> View:
    """The whole image squashed to the model frame, as gaze followers see scenes; nothing is cut off or filled."""
    _check_sizes(image_size, model_size)
    return View(image_size, model_size, scaling(model_size[1] / image_size[1], model_size[0] / image_size[0]))


def fitted_frame(image_size: Size, longer_side: int) -> View:
    """The whole image but for the rows or columns that its aspect is short of, as the sampler of InstructPix2Pix has it
    (Brooks et al., CVPR 2023): the longer side about `longer_side`, the shorter one rounded up, both to multiples of
    64, resampled by Lanczos' kernel. Raises DataError for a strip too thin for that."""
    _check_sizes(image_size, (longer_side, longer_side))
    short, scale = min(image_size), longer_side / max(image_size)
    scale = math.ceil(short * scale / MULTIPLE) * MULTIPLE / short
    height, width = (int(side * scale // MULTIPLE) * MULTIPLE for side in image_size)
    if max(height, width) > LONGEST or min(height, width) < MULTIPLE:
        hint = "crop the image, or use view.crop=frame"
        raise DataError(f"an image of {image_size[1]} x {image_size[0]} would be {width} x {height}", hint=hint)
    factor = min(image_size[0] / height, image_size[1] / width)  # image pixels per model pixel
    left, top = (image_size[1] - width * factor) / 2, (image_size[0] - height * factor) / 2
    return View(image_size, (height, width), scaling(1 / factor, 1 / factor) @ translation(-left, -top), lanczos=True)


def around_box(image_size: Size, box: Array, model_size: Size, padding: float = 1.25) -> View:
    """A box with its surroundings at the image's own aspect.

    The box keeps its centre, grows along one side to the model frame's aspect, and both sides are then multiplied by
    `padding`. What lies outside the image is filled.

    Errors:
        DataError: the box is not finite or has its edges swapped.
        ConfigError: a size or the padding is not positive.
    """
    _check_sizes(image_size, model_size)
    if not padding > 0:
        raise ConfigError(f"a box's padding must be above 0, got {padding}", hint="1.25 leaves an eighth on each side")
    box = _sound_box(box)
    width, height = box_size(box)
    scale = min(model_size[0] / height, model_size[1] / width) / padding
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return View(image_size, model_size, _centred(centre, scale, model_size))


def stretched_box(image_size: Size, box: Array, model_size: Size) -> View:
    """A tight box stretched over the model frame, whatever its aspect: the crop of `readout-guidance-2024`.

    Errors as `around_box`.
    """
    _check_sizes(image_size, model_size)
    return View(image_size, model_size, box_to_frame(_sound_box(box), model_size))


def mirror_view(view: View) -> View:
    """The same part of the image, flipped left to right in the model frame."""
    return replace(view, matrix=mirroring(float(view.model_size[1])) @ view.matrix, mirrored=not view.mirrored)


def _centred(centre: tuple[float, float], scale: float, model_size: Size) -> Array:
    """Puts an image point at the middle of the model frame, at one scale for both axes."""
    middle = translation(model_size[1] / 2, model_size[0] / 2)
    return middle @ scaling(scale, scale) @ translation(-centre[0], -centre[1])


def _check_sizes(image_size: Size, model_size: Size) -> None:
    for name, size in (("image", image_size), ("model", model_size)):
        if min(size) < 1:
            raise ConfigError(f"the {name} size must be at least 1 x 1, got {size[0]} x {size[1]} (height x width)")


def _sound_box(box: Array) -> Array:
    """The box, at least `MIN_BOX_SIDE` wide and high about its own centre."""
    box = np.asarray(box, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
        raise DataError(
            f"a box must be four finite numbers (x_min, y_min, x_max, y_max), got {box.tolist()}",
            hint="`gensight datasets check` lists the boxes that are not",
        )
    centre, half = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], MIN_BOX_SIDE) / 2
    return np.concatenate([centre - half, centre + half])
