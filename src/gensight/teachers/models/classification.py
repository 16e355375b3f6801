"""Image classifiers of the transformers library: a probability for each class that they know."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gensight.backbones.transformers_models import IMAGENET_MEAN, IMAGENET_STD, read_preprocessing
from gensight.samples import Array, Sample
from gensight.teachers.base import Labels
from gensight.teachers.models.preprocessing import Preprocessing
from gensight.teachers.models.pretrained import PretrainedTeacher

_HALF = (0.5, 0.5, 0.5)
_BICUBIC = 3  # Pillow's number
_CROP_SHARE = 224 / 256  # of the resized image: how ResNet and ConvNeXt were scored (their processors' `crop_pct`)
_CROP_BELOW = 384  # from this side on those two squeeze the whole image instead
_CROPPED_BY_SHARE = ("convnext", "convnextv2", "resnet", "regnet")


class ClassTeacher(PretrainedTeacher):
    """The class of the whole image, as the model's config names it (several names of one class by commas).

    Args:
        source: Hub id or folder.
        device: `auto`, `cpu`, `cuda` ...
        local_files_only: Whether to look for a hub id in the local cache only.
    """

    kind = "classify"
    default = "google/vit-base-patch16-224"
    families = {  # noqa: RUF012
        "beit": "BeitForImageClassification",
        "convnext": "ConvNextForImageClassification",
        "convnextv2": "ConvNextV2ForImageClassification",
        "deit": "DeiTForImageClassification",
        "dinov2": "Dinov2ForImageClassification",
        "regnet": "RegNetForImageClassification",
        "resnet": "ResNetForImageClassification",
        "swin": "SwinForImageClassification",
        "vit": "ViTForImageClassification",
    }
    preprocessing_defaults = {  # noqa: RUF012
        "": {"size": {"height": 224, "width": 224}, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD},
        "resnet": {"size": {"shortest_edge": 224}},
        "regnet": {"size": {"shortest_edge": 224}},
        "convnext": {"size": {"shortest_edge": 224}},
        "convnextv2": {"size": {"shortest_edge": 224}},
        "deit": {"size": {"height": 256, "width": 256}, "resample": _BICUBIC, "do_center_crop": True,
                 "crop_size": {"height": 224, "width": 224}},
        "dinov2": {"size": {"shortest_edge": 256}, "resample": _BICUBIC, "do_center_crop": True,
                   "crop_size": {"height": 224, "width": 224}},
        "vit": {"image_mean": _HALF, "image_std": _HALF},
    }  # fmt: skip
    labels = ("label",)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the model knows, in the order of its outputs."""
        names = {int(index): str(name) for index, name in self.config.get("id2label", {}).items()}
        return tuple(names[index] for index in sorted(names))

    def model_input(self, image: Array) -> Tensor:
        """float32 (1, 3, height, width) of uint8 RGB: resized, and its middle cut out where the model was taught so."""
        defaults = self.preprocessing_defaults
        given = {**defaults[""], **defaults.get(self.model_type, {})}
        values = read_preprocessing(self.folder, given)
        crop = _sides(values.get("crop_size")) if values.pop("do_center_crop", False) else None
        steps = Preprocessing.of(values, self.folder)
        if crop is None and self.model_type in _CROPPED_BY_SHARE and "shortest_edge" in steps.size:
            side = steps.size["shortest_edge"]
            if side >= _CROP_BELOW:
                steps = replace(steps, size={"height": side, "width": side})
            else:
                shortest = int(side / float(values.get("crop_pct") or _CROP_SHARE))
                steps, crop = replace(steps, size={"shortest_edge": shortest}), (side, side)
        pixels, _ = steps(image)
        return pixels if crop is None else _middle(pixels, crop)

    @torch.inference_mode()
    def probabilities(self, sample: Sample) -> dict[str, float]:
        """Class -> probability; they add up to 1."""
        logits = self.model(pixel_values=self.model_input(sample.image()).to(self.device)).logits[0]
        shares = logits.float().softmax(-1).cpu().tolist()
        return dict(zip(self.classes, shares, strict=True))

    def label_image(self, sample: Sample) -> Labels:
        shares = self.probabilities(sample)
        best = max(shares, key=lambda name: shares[name])
        return Labels(label=best, confidence=shares[best])


def _sides(size: object) -> tuple[int, int] | None:
    if isinstance(size, Mapping):
        return int(size["height"]), int(size["width"])
    return None if size is None else (int(str(size)), int(str(size)))


def _middle(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of (1, 3, height, width); zeros where the image is smaller, as the libraries' own processors do."""
    missing = [max(0, size[i] - pixels.shape[2 + i]) for i in (0, 1)]
    top, left = (math.ceil(one / 2) for one in missing)
    padded = torch.nn.functional.pad(pixels, (left, missing[1] - left, top, missing[0] - top))
    y, x = ((padded.shape[2 + i] - size[i]) // 2 for i in (0, 1))
    return padded[..., y : y + size[0], x : x + size[1]]
