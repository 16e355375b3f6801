"""The preprocessing of a pretrained model, read from its preprocessing file, with the exact map to the image.

The libraries' own processors need torchvision for the newer families and do not give their coordinates. This
follows the same file (`preprocessor_config.json`) and gives the View, so that outputs are mapped back to the image
frame exactly. Tests hold the pixels equal to the libraries' Pillow processors where there are such.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gensight.errors import RunError
from gensight.geometry import scaling, translation
from gensight.samples import Array, Size, View
from gensight.transforms.views import stretched_frame

BILINEAR, BICUBIC = int(Image.Resampling.BILINEAR), int(Image.Resampling.BICUBIC)
HALF = (0.5, 0.5, 0.5)
_REFLECTED = 3  # ZoeDepth's border is 3 * sqrt(side / 2) pixels (Bhat et al. 2023, `depth_model.py`)


@dataclass(frozen=True)
class Preprocessing:
    """From uint8 RGB to a model's input.

    Attributes:
        size: `{"height", "width"}`; `{"shortest_edge"[, "longest_edge"]}` or `{"longest_edge"}`, aspect kept.
        resample: Pillow's number of the filter.
        factor: What pixel values are multiplied with.
        mean: Per channel, subtracted afterwards.
        std: Per channel, divided by.
        keep_aspect: With height and width: scale both sides as the one that changes less (DPT).
        multiple: Sides are rounded to multiples of it (DPT).
        pad_size: Zeros fill what is left of such a frame, to the right and below (SAM); None: no frame.
        reflect: Pads by reflection and lets the corner pixels' centres meet when resizing (ZoeDepth).
        crop: (height, width) of the middle that is cut out, with zeros where the image is smaller; None: all is kept.
    """

    size: Mapping[str, int]
    resample: int = BILINEAR
    factor: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    keep_aspect: bool = False
    multiple: int = 1
    pad_size: Size | None = None
    reflect: bool = False
    crop: Size | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], where: Path) -> "Preprocessing":
        """From the keys of a preprocessing file. Raises RunError for what can't be followed."""
        if values.get("do_center_crop") or (values.get("do_pad") and values.get("size_divisor")):
            raise RunError(
                "this model's preprocessing (a crop, or padding to a divisor) can't be followed", where=where
            )
        normalize = bool(values.get("do_normalize", True))
        pad = values.get("pad_size") if values.get("do_pad") else None
        try:
            return cls(
                size=_size(values),
                resample=int(values.get("resample", BILINEAR)),
                factor=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
                mean=_channels(values["image_mean"]) if normalize else (0.0, 0.0, 0.0),
                std=_channels(values["image_std"]) if normalize else (1.0, 1.0, 1.0),
                keep_aspect=bool(values.get("keep_aspect_ratio", False)),
                multiple=max(1, int(values.get("ensure_multiple_of") or 1)),
                pad_size=None if not pad else (int(pad["height"]), int(pad["width"])),
                reflect=bool(values.get("reflect", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the model's preprocessing file can't be followed: {error!r}", where=where) from error

    @property
    def fixed_size(self) -> Size:
        """(height, width) that `size` names; RunError if it names edges only."""
        if not {"height", "width"} <= set(self.size):
            raise RunError(f"the model's preprocessing names no height and width, but {dict(self.size)}")
        return self.size["height"], self.size["width"]

    def target_size(self, image_size: Size) -> Size:
        """(height, width) to which an image is resized, before any padding to a frame."""
        height, width = image_size
        if "height" in self.size:
            scale_y, scale_x = self.size["height"] / height, self.size["width"] / width
            if self.keep_aspect:
                scale_y = scale_x = scale_x if abs(1 - scale_x) < abs(1 - scale_y) else scale_y
            return _multiple(scale_y * height, self.multiple), _multiple(scale_x * width, self.multiple)
        if "shortest_edge" not in self.size:
            scale = self.size["longest_edge"] / max(image_size)
            return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        return _by_edges(image_size, self.size["shortest_edge"], self.size.get("longest_edge"))

    def normalize(self, pixels: Array) -> Tensor:
        """float32 (1, 3, height, width) from RGB in 0 ... 255 (height, width, 3)."""
        values: Array = pixels.astype(np.float32) * np.float32(self.factor)
        values = (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]

    def __call__(self, image: Array) -> tuple[Tensor, View]:
        """The model's input, float32 (1, 3, height, width), and how it came from uint8 RGB (height, width, 3)."""
        if self.reflect:
            return self._reflected(image)
        height, width = image.shape[:2]
        target = self.target_size((height, width))
        resized = Image.fromarray(image).resize(target[::-1], Image.Resampling(self.resample))
        values, model_size = self.normalize(np.asarray(resized)), target
        if self.pad_size is not None:
            model_size = max(self.pad_size[0], target[0]), max(self.pad_size[1], target[1])
            missing = (0, model_size[1] - target[1], 0, model_size[0] - target[0])
            values = torch.nn.functional.pad(values, missing)
        matrix = stretched_frame((height, width), target).matrix
        if self.crop is not None:
            model_size = self.crop
            missing_y, missing_x = (max(0, self.crop[i] - target[i]) for i in (0, 1))
            top, left = math.ceil(missing_y / 2), math.ceil(missing_x / 2)
            values = torch.nn.functional.pad(values, (left, missing_x - left, top, missing_y - top))
            y, x = ((values.shape[2 + i] - self.crop[i]) // 2 for i in (0, 1))
            values = values[..., y : y + self.crop[0], x : x + self.crop[1]]
            matrix = translation(float(left - x), float(top - y)) @ matrix
        return values, View((height, width), model_size, matrix)

    def _reflected(self, image: Array) -> tuple[Tensor, View]:
        height, width = image.shape[:2]
        top, left = (int(np.sqrt(side / 2) * _REFLECTED) for side in (height, width))
        padded = np.pad(image, ((top, top), (left, left), (0, 0)), mode="reflect")
        outer: Size = (padded.shape[0], padded.shape[1])
        target = self.target_size(outer)
        values = torch.nn.functional.interpolate(
            torch.from_numpy(padded.transpose(2, 0, 1).astype(np.float32))[None],
            target,
            mode="bicubic" if self.resample == Image.Resampling.BICUBIC else "bilinear",
            align_corners=True,
        )
        pixels = values[0].numpy().transpose(1, 2, 0)
        matrix = aligned_corners(outer, target) @ translation(float(left), float(top))
        return self.normalize(pixels), View((height, width), target, matrix)


def aligned_corners(source: Size, target: Size) -> Array:
    """float64 (3, 3): maps a frame onto another so that the centres of their corner pixels meet."""
    scale = [(target[i] - 1) / max(source[i] - 1, 1) for i in (1, 0)]
    return translation(0.5, 0.5) @ scaling(*scale) @ translation(-0.5, -0.5)


def _size(values: Mapping[str, Any]) -> dict[str, int]:
    """Older files have one number: the shorter side if there is a `max_size`, else both sides."""
    size = values["size"]
    if isinstance(size, Mapping):
        known = {key: int(value) for key, value in size.items() if value is not None}
        if not ({"height", "width"} <= set(known) or {"shortest_edge", "longest_edge"} & set(known)):
            raise ValueError(f"size {dict(size)}")
        return known
    if "max_size" in values:
        return {"shortest_edge": int(size), "longest_edge": int(values["max_size"])}
    return {"height": int(size), "width": int(size)}


def _multiple(side: float, of: int) -> int:
    return max(of, round(side / of) * of)


def _channels(values: Any) -> tuple[float, ...]:
    numbers = (float(values),) * 3 if isinstance(values, int | float) else tuple(float(value) for value in values)
    if len(numbers) != 3:
        raise ValueError(f"{len(numbers)} channels")
    return numbers


def _by_edges(image_size: Size, shortest: int, longest: int | None) -> Size:
    """The shorter side becomes `shortest`, unless the longer one then passes `longest`; rounded as DETR does."""
    low, high = min(image_size), max(image_size)
    edge: float = shortest
    if longest is not None and high / low * shortest > longest:
        edge = longest * low / high
    if low == round(edge):
        return image_size
    other = int(edge * high / low)
    return (other, round(edge)) if image_size[1] < image_size[0] else (round(edge), other)
