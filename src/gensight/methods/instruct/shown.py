"""Teaching a U-Net's features what the image shows, whatever it is asked: every class, place by place, and its label.

A question tells of one class, or of none; a class map, where the data have one, tells of all in every image, and a
label of the image as a whole. Linear readers of the features are taught to tell them (deep supervision, after Lee et
al., "Deeply-Supervised Nets", AISTATS 2015), and with them the features: classes at places behind the first half of the
up blocks, the label at each single cell of the middle block, so that each knows what answers of one colour need to
know everywhere. They are used in training alone.
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
    """Reads the class at each place from the output of an up block at half the depth, the label from the middle block.

    Args:
        unet: diffusers' `UNet2DConditionModel`.
        num_classes: Of the vocabulary of places, without the background.
        num_labels: Of the vocabulary of whole images.
    """

    def __init__(self, unet: Any, num_classes: int, num_labels: int = 0) -> None:
        super().__init__()
        index = max(0, len(unet.up_blocks) // 2 - 1)
        self._blocks = (f"up_blocks.{index}", "mid_block")
        groups = unet.config.norm_num_groups
        widths = unet.up_blocks[index].resnets[-1].out_channels, unet.mid_block.resnets[-1].out_channels
        self.norm, self.label_norm = (nn.GroupNorm(groups, width) for width in widths)
        self.read = nn.Conv2d(widths[0], 1 + num_classes, 1)
        self.read_label = nn.Conv2d(widths[1], num_labels, 1) if num_labels else None

    @contextmanager
    def watching(self, unet: Any) -> Iterator[list[Tensor]]:
        """A list that is given, by a call of the U-Net, the features of places and those of the label."""
        seen: list[Tensor] = [torch.empty(0)] * 2

        def keep(place: int) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
                seen[place] = output

            return hook

        handles = [
            unet.get_submodule(name).register_forward_hook(keep(place)) for place, name in enumerate(self._blocks)
        ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()

    def losses(
        self,
        features: list[Tensor],
        shown: Int[Tensor, "batch 1 grid_height grid_width"],
        label: Int[Tensor, "batch 1"],
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Name -> (sum, weight) of the cross-entropy over cells: `shown`, the background counting a fifth, and `label`.

        Args:
            features: What `watching` saw.
            shown: Number of the class at each cell; 0 background, -1 unknown.
            label: Place of the class of the image; -1 unknown.
        """
        logits = self.read(self.norm(features[0].float()))
        logits = F.interpolate(logits, shown.shape[-2:], mode="bilinear", align_corners=False)
        weight = torch.where(shown[:, 0] == 0, _BACKGROUND, 1.0)
        found = {"shown": _cross_entropy(logits, shown[:, 0], weight)}
        if self.read_label is not None:
            logits = self.read_label(self.label_norm(features[1].float()))
            everywhere = label[:, :, None].expand(-1, *logits.shape[-2:])
            found["label"] = _cross_entropy(logits, everywhere, torch.ones_like(logits[:, 0]))
        return found


def _cross_entropy(
    logits: Float[Tensor, "batch classes height width"],
    number: Int[Tensor, "batch height width"],
    weight: Float[Tensor, "batch height width"],
) -> tuple[Tensor, Tensor]:
    known = (number >= 0).to(logits) * weight
    return (F.cross_entropy(logits, number.clamp(min=0), reduction="none") * known).sum(), known.sum()
