"""Teaching a U-Net's features what the image shows, whatever it is asked: every class, place by place.

A question tells of one class, or of none; a class map, where the data have one, tells of all in every image. A linear
reader of the features behind the U-Net's deepest blocks is taught to tell them (deep supervision, after Lee et al.,
"Deeply-Supervised Nets", AISTATS 2015), and with it the features. It is used in training alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

_BACKGROUND = 0.2  # its weight: most of an image shows no class


class ShownReader(nn.Module):
    """Reads the class at each place from the output of an up block at half the depth.

    Args:
        unet: diffusers' `UNet2DConditionModel`.
        num_classes: Of the vocabulary, without the background.
    """

    def __init__(self, unet: Any, num_classes: int) -> None:
        super().__init__()
        self._index = max(0, len(unet.up_blocks) // 2 - 1)
        channels = unet.up_blocks[self._index].resnets[-1].out_channels
        self.norm = nn.GroupNorm(unet.config.norm_num_groups, channels)
        self.read = nn.Conv2d(channels, 1 + num_classes, 1)

    @contextmanager
    def watching(self, unet: Any) -> Iterator[list[Tensor]]:
        """A list that the features of each call of the U-Net are put into."""
        seen: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen.append(output)

        handle = unet.up_blocks[self._index].register_forward_hook(keep)
        try:
            yield seen
        finally:
            handle.remove()

    def loss(
        self,
        features: Float[Tensor, "batch channels height width"],
        shown: Int[Tensor, "batch 1 grid_height grid_width"],
    ) -> tuple[Tensor, Tensor]:
        """(sum, weight) of the cross-entropy over cells, the background counting a fifth.

        Args:
            features: What `watching` saw.
            shown: Number of the class at each cell; 0 background, -1 unknown.
        """
        logits = self.read(self.norm(features.float()))
        logits = F.interpolate(logits, shown.shape[-2:], mode="bilinear", align_corners=False)
        known, number = (shown[:, 0] >= 0).to(logits), shown[:, 0].clamp(min=0)
        weight = known * torch.where(number == 0, _BACKGROUND, 1.0)
        return (F.cross_entropy(logits, number, reduction="none") * weight).sum(), weight.sum()
