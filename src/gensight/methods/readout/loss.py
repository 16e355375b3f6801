"""Masked losses between predicted and target maps."""

import math
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Literal["mse", "cross-entropy", "softmax"]
EMPTY = 1e-3  # a target map with less mass than this says that nothing is there


def to_unit_range(maps: Tensor, loss: Loss, blob_sigma: float | None = None) -> Tensor:
    """A head's raw maps in the targets' range.

    Themselves under `mse`, their sigmoid under `cross-entropy`. Under `softmax`, the probability of each cell times the
    mass of a Gaussian of peak 1, so that a certain answer peaks at 1 and a spread-out one stays low.

    Args:
        maps: (batch, channels, height, width).
        loss: The one that they were trained under.
        blob_sigma: Standard deviation of the Gaussian as a share of the grid's geometric-mean side; `softmax` only.
    """
    match loss:
        case "mse":
            return maps
        case "cross-entropy":
            return maps.sigmoid()
        case "softmax":
            assert blob_sigma is not None  # the method refuses other outputs
            mass = 2 * math.pi * blob_sigma**2 * maps.shape[-2] * maps.shape[-1]
            return (maps.flatten(-2).softmax(-1) * mass).clamp(max=1).view_as(maps)
        case _:
            assert_never(loss)


def masked_map_loss(maps: Tensor, target: Tensor, weight: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """The sum of per-map errors over labelled maps, and how many maps were labelled.

    - `mse`: mean squared error against the target (Luo et al., 2024; Sun et al., HRNet, 2019).
    - `cross-entropy`: each cell's logit against the target in [0, 1] as a probability.
    - `softmax`: the place as one choice among all cells, against the target as a distribution. It learns small
      subjects many times faster, and says nothing of maps in which nothing is to be found.

    The last two are less the target's own entropy, so that a perfect map scores 0: Kullback-Leibler divergences.

    Args:
        maps: Raw output (batch, channels, height, width).
        target: In [0, 1], same shape.
        weight: Broadcasts against `maps`; 0 where nothing is labelled.
        loss: Which.
    """
    weight = weight.to(maps.dtype).expand_as(maps).amax(dim=(-2, -1))
    match loss:
        case "mse":
            errors = (maps - target).square().mean(dim=(-2, -1))
        case "cross-entropy":
            entropy = -(torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target))
            errors = F.binary_cross_entropy_with_logits(maps, target, reduction="none") - entropy
            errors = errors.mean(dim=(-2, -1))
        case "softmax":
            errors, weight = _place_error(maps, target, weight)
        case _:
            assert_never(loss)
    return (errors * weight).sum(), weight.sum()


def _place_error(maps: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    mass = target.sum(dim=(-2, -1), keepdim=True)
    share = target / mass.clamp(min=EMPTY)
    entropy = -torch.xlogy(share, share)
    errors = -share * maps.flatten(-2).log_softmax(-1).view_as(maps) - entropy
    return errors.sum(dim=(-2, -1)), weight * (mass[..., 0, 0] >= EMPTY)
