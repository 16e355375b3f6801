"""Image classifiers of the transformers library: a probability for each class that they know."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from gensight.samples import Sample, Size
from gensight.teachers.base import Labels
from gensight.teachers.models.preprocessing import BICUBIC, HALF, Preprocessing
from gensight.teachers.models.pretrained import PretrainedTeacher

_CROP_SHARE = 224 / 256  # of the resized image: how ResNet and ConvNeXt were scored (their processors' `crop_pct`)
_CROP_BELOW = 384  # from this side on those two squeeze the whole image instead
_CROPPED_BY_SHARE = ("convnext", "convnextv2", "resnet", "regnet")


@dataclass(eq=False)
class ClassTeacher(PretrainedTeacher):
    """The class of the whole image, as the model's config names it (several names of one class by commas)."""

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
        "": {"size": {"height": 224, "width": 224}},
        "resnet": {"size": {"shortest_edge": 224}},
        "regnet": {"size": {"shortest_edge": 224}},
        "convnext": {"size": {"shortest_edge": 224}},
        "convnextv2": {"size": {"shortest_edge": 224}},
        "deit": {"size": {"height": 256, "width": 256}, "resample": BICUBIC, "do_center_crop": True,
                 "crop_size": {"height": 224, "width": 224}},
        "dinov2": {"size": {"shortest_edge": 256}, "resample": BICUBIC, "do_center_crop": True,
                   "crop_size": {"height": 224, "width": 224}},
        "vit": {"image_mean": HALF, "image_std": HALF},
    }  # fmt: skip
    labels = ("label",)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Resizes, and cuts out the middle where the model was taught so."""
        values = self.preprocessing_values(self.folder, self.model_type)
        crop = _sides(values.get("crop_size")) if values.pop("do_center_crop", False) else None
        steps = Preprocessing.of(values, self.folder)
        if crop is None and self.model_type in _CROPPED_BY_SHARE and "shortest_edge" in steps.size:
            side = steps.size["shortest_edge"]
            if side >= _CROP_BELOW:
                return replace(steps, size={"height": side, "width": side})
            shortest = int(side / float(values.get("crop_pct") or _CROP_SHARE))
            steps, crop = replace(steps, size={"shortest_edge": shortest}), (side, side)
        return replace(steps, crop=crop)

    @torch.inference_mode()
    def probabilities(self, sample: Sample) -> dict[str, float]:
        """Class -> probability; they add up to 1."""
        values, _ = self.model_input(sample)
        shares = self.model(pixel_values=values).logits[0].float().softmax(-1).cpu().tolist()
        return dict(zip(self.classes.values(), shares, strict=True))

    def label_image(self, sample: Sample) -> Labels:
        shares = self.probabilities(sample)
        best = max(shares, key=lambda name: shares[name])
        return Labels(label=best, confidence=shares[best])


def _sides(size: Any) -> Size | None:
    if isinstance(size, Mapping):
        return int(size["height"]), int(size["width"])
    return None if size is None else (int(size), int(size))
