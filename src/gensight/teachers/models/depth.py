"""Monocular depth models as teachers: metric depth, or inverse depth up to scale and shift, as the model's kind is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gensight.backbones.transformers_models import IMAGENET_MEAN, IMAGENET_STD
from gensight.geometry import map_grid_to_image
from gensight.samples import Depth, Sample
from gensight.teachers.base import Labels
from gensight.teachers.models.preprocessing import BICUBIC, HALF
from gensight.teachers.models.pretrained import PretrainedTeacher


@dataclass(eq=False)
class DepthTeacher(PretrainedTeacher):
    """The depth of every pixel.

    DPT and Depth Anything give inverse depth up to scale and shift (`affine`, larger is nearer); ZoeDepth and the
    metric variants of Depth Anything (`depth_estimation_type: metric` in their config) give metres.
    """

    kind = "depth"
    default = "depth-anything/Depth-Anything-V2-Small-hf"
    families = {  # noqa: RUF012
        "depth_anything": "DepthAnythingForDepthEstimation",
        "dpt": "DPTForDepthEstimation",
        "zoedepth": "ZoeDepthForDepthEstimation",
    }
    preprocessing_defaults = {  # noqa: RUF012
        "": {"size": {"height": 384, "width": 384}, "resample": BICUBIC, "image_mean": HALF, "image_std": HALF},
        "depth_anything": {
            "size": {"height": 518, "width": 518},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 14,
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        },
        "zoedepth": {
            "size": {"height": 384, "width": 512},
            "resample": 2,
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 32,
            "reflect": True,
        },
    }
    labels = ("depth",)

    @property
    def depth_kind(self) -> Literal["metric", "affine"]:
        """What the model's numbers are."""
        if self.model_type == "zoedepth" or self.config.get("depth_estimation_type") == "metric":
            return "metric"
        return "affine"

    def label_image(self, sample: Sample) -> Labels:
        values, view = self.model_input(sample)
        raw = self.model(pixel_values=values).predicted_depth
        depth = map_grid_to_image(raw.reshape(raw.shape[-2:]).float().cpu().numpy(), view)
        if self.depth_kind == "metric":  # nothing lies at no distance, or behind the camera
            depth = np.where(depth > 0, depth, np.float32(np.nan))
        return Labels(depth=Depth(depth.astype(np.float32), self.depth_kind))
