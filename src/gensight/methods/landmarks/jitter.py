"""Random colours and uniform draws that belong to an item's key."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gensight.diffusion.noise import item_noise


@dataclass(frozen=True)
class JitterRange:
    """How far colours are changed, each either way: relative brightness, contrast, saturation; hue in turns.

    With `targets`, the image to reconstruct has the changed colours too.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.3
    targets: bool = False

    num_draws = 4


def uniform_draws(keys: Tensor, count: int, stream: int) -> Tensor:
    """float32 (B, count) in [0, 1), each row from its item's key."""
    return torch.special.ndtr(item_noise(keys, (count,), stream)).clamp(max=1 - 1e-6)


def jitter(images: Tensor, uniform: Tensor, reach: JitterRange) -> Tensor:
    """Images in [0, 1] in other colours: brightness, contrast about the mean grey, saturation and hue as one matrix.

    Args:
        images: (B, 3, height, width).
        uniform: (B, 4) in [0, 1).
        reach: How far.
    """
    signed = (2 * uniform - 1).to(images.device)
    brightness, contrast, saturation = (
        1 + signed[:, i] * extent for i, extent in enumerate((reach.brightness, reach.contrast, reach.saturation))
    )
    colours = _hue_and_saturation(signed[:, 3] * reach.hue * 2 * math.pi, saturation)
    matrix = colours * (brightness * contrast)[:, None, None]
    grey = torch.einsum("bchw,c->b", images, _LUMA.to(images)) / (images.shape[-2] * images.shape[-1])
    offset = brightness * (1 - contrast) * grey
    changed = torch.einsum("bij,bjhw->bihw", matrix, images) + offset[:, None, None, None]
    return changed.clamp(0, 1)


_LUMA = torch.tensor([0.299, 0.587, 0.114])
_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def _hue_and_saturation(angle: Tensor, saturation: Tensor) -> Tensor:
    """(B, 3, 3): a turn and a stretch of the chroma plane of YIQ."""
    cosine, sine, zero = saturation * torch.cos(angle), saturation * torch.sin(angle), torch.zeros_like(angle)
    turned = torch.stack(
        [torch.stack([zero + 1, zero, zero], 1), torch.stack([zero, cosine, -sine], 1),
         torch.stack([zero, sine, cosine], 1)], 1,
    )  # fmt: skip
    to_yiq = _TO_YIQ.to(angle)
    return torch.linalg.inv(to_yiq) @ turned @ to_yiq
