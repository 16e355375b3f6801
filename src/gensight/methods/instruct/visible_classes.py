"""Auxiliary targets for a U-Net's features, independent of the instruction: the class at each place, and the label.

An instruction names one class, or none; a class map, where the data have one, covers all classes of an image, and a
label the image as a whole. Linear classifiers on the features predict both (deep supervision, after Lee et al.,
"Deeply-Supervised Nets", AISTATS 2015): the class map behind the first half of the up blocks, and the label at every
cell of the middle block, because an answer of one colour needs it everywhere. They are used in training alone.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

_BACKGROUND = 0.2  # its weight: most of an image shows no class


class FeatureReader(nn.Module):
    """Predicts classes from each cell of a block's output.

    Args:
        unet: diffusers' `UNet2DConditionModel`.
        block: Name of a block of it.
        num_classes: Number of classes.
        background: Weight of class 0.
    """

    def __init__(self, unet: Any, block: str, num_classes: int, background: float = 1.0) -> None:
        super().__init__()
        self.block, self._background = block, background
        channels = unet.get_submodule(block).resnets[-1].out_channels
        self.norm = nn.GroupNorm(unet.config.norm_num_groups, channels)
        self.read = nn.Conv2d(channels, num_classes, 1)

    def logits(self, features: Float[Tensor, "batch channels height width"]) -> Tensor:
        """(batch, classes, height, width)."""
        read: Tensor = self.read(self.norm(features.float()))
        return read

    def loss(self, features: Tensor, truth: Int[Tensor, "batch 1 ..."]) -> tuple[Tensor, Tensor]:
        """(sum, weight) of the cross-entropy.

        Args:
            features: The block's output.
            truth: Class numbers, -1 unknown: (batch, 1) of whole images, for every cell, or (batch, 1, height, width).
        """
        number, logits = truth[:, 0], self.logits(features)
        if number.ndim == 1:
            number = number[:, None, None].expand(-1, *logits.shape[-2:])
        else:
            logits = F.interpolate(logits, number.shape[-2:], mode="bilinear", align_corners=False)
        weight = torch.where(number == 0, self._background, 1.0).to(logits) * (number >= 0)
        return (F.cross_entropy(logits, number.clamp(min=0), reduction="none") * weight).sum(), weight.sum()


def visible_class_reader(unet: Any, num_classes: int) -> FeatureReader:
    """Predicts the class at each place, 0 none, from the output of an up block at half the depth."""
    return FeatureReader(unet, f"up_blocks.{max(0, len(unet.up_blocks) // 2 - 1)}", 1 + num_classes, _BACKGROUND)


def label_reader(unet: Any, num_labels: int) -> FeatureReader:
    """Predicts the class of the image from every cell of the middle block."""
    return FeatureReader(unet, "mid_block", num_labels)
