"""Masked losses between predicted and target maps."""

from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Literal["mse", "cross-entropy"]


def to_unit_range(maps: Tensor, loss: Loss) -> Tensor:
    """A head's raw maps in the targets' range: themselves under MSE, their sigmoid under cross-entropy."""
    match loss:
        case "mse":
            return maps
        case "cross-entropy":
            return maps.sigmoid()
        case _:
            assert_never(loss)


def masked_map_loss(maps: Tensor, target: Tensor, weight: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """The sum of per-map mean errors over labelled maps, and how many maps were labelled.

    `mse` is the mean squared error against the target (Luo et al., 2024; Sun et al., HRNet, 2019). `cross-entropy` is
    the binary cross-entropy of each cell's logit against the target in [0, 1], less the target's own entropy, so that
    a perfect map scores 0 and the loss is a Kullback-Leibler divergence.

    Args:
        maps: Raw output (batch, channels, height, width).
        target: In [0, 1], same shape.
        weight: Broadcasts against `maps`; 0 where nothing is labelled.
        loss: Which.
    """
    match loss:
        case "mse":
            errors = (maps - target).square()
        case "cross-entropy":
            entropy = -(torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target))
            errors = F.binary_cross_entropy_with_logits(maps, target, reduction="none") - entropy
        case _:
            assert_never(loss)
    weight = weight.to(maps.dtype).expand_as(maps)
    per_map = (errors * weight).mean(dim=(-2, -1))
    return per_map.sum(), weight.amax(dim=(-2, -1)).sum()
