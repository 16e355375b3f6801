"""What each kind of output is taught by: the range it is trained in, its loss, and the way back to [0, 1].

| kind           | head's last step | trained in   | loss                                                        |
|----------------|------------------|--------------|-------------------------------------------------------------|
| blobs          | none             | by the loss      | `mse`, `cross-entropy` or `softmax`                         |
| sparse-image   | tanh             | [-0.5, 0.5]  | squared error, half for empty and half for drawn: cells of  |
|                |                  |              | each image, or `published`, values of the batch             |
| dense-image    | tanh             | [-1, 1]      | squared error                                               |
| values         | none             | [0, 1]       | absolute error                                              |
| affine-values  | none             | free         | absolute error after each map is centred and scaled         |
| matching       | unit length      |              | symmetric cross-entropy over cells (`descriptors.py`)       |
| appearance     | unit length      |              | triplet hinge (`descriptors.py`)                            |

Ranges of image-like targets are those of Luo et al., "Readout Guidance", CVPR 2024. So is the two-part error under the
loss `published`: a value counts as empty where its channel is at the range's minimum, and the two means are over the
batch. By default a cell is drawn where any channel is, and each image counts alike, however much of it is drawn.
"""

import math
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from gensight.encodings.base import OutputSpec
from gensight.methods.readout.descriptors import appearance_loss, matching_loss
from gensight.samples import Size

ReadoutLoss = Literal["mse", "published", "cross-entropy", "softmax"]
EMPTY = 1e-3  # a blob map with less mass, or an image cell with less light, counts as empty


def ends_in_tanh(spec: OutputSpec) -> bool:
    """Whether that is the last step of an output's map head."""
    return spec.kind in ("sparse-image", "dense-image")


def output_loss(
    values: Tensor, target: Tensor, weight: Tensor, spec: OutputSpec, blobs: ReadoutLoss, model_size: Size
) -> tuple[Tensor, Tensor]:
    """The sum of one output's errors, and how many maps (images, points) it is the sum of.

    Args:
        values: What the head gave: (batch, channels, height, width), or descriptors (batch, samples, channels, height,
            width).
        target: As the encoding made it.
        weight: Broadcasts against `target`; 0 where nothing is labelled.
        spec: Of the output.
        blobs: The loss of `blobs`.
        model_size: (height, width) of the model frame.
    """
    match spec.kind:
        case "blobs":
            return masked_map_loss(values, target, weight, blobs)
        case "sparse-image":
            return _sparse_error(values, target - 0.5, weight.to(values.dtype).expand_as(values))
        case "dense-image":
            return _per_image((values - (2 * target - 1)).square(), weight)
        case "values":
            return _per_image((values - target).abs(), weight)
        case "affine-values":
            weight = weight.to(values.dtype).expand_as(values)
            return _per_image((_standardised(values, weight) - _standardised(target, weight)).abs(), weight)
        case "matching":
            return matching_loss(values, target, weight, model_size)
        case "appearance":
            return appearance_loss(values, target, weight)
        case "vector":
            raise AssertionError("the method refuses vectors")
        case _:
            assert_never(spec.kind)


def pooled_sparse_errors(values: Tensor, target: Tensor, weight: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Summed squared errors and counts of a batch's drawn, then of its empty values (Luo et al., 2024).

    Half of each mean is the loss; a kind of which a batch has no value adds 0.

    Args:
        values: (batch, channels, height, width), trained in [-0.5, 0.5].
        target: In [0, 1]; 0 is empty.
        weight: Broadcasts against `target`.
    """
    errors = (values - (target - 0.5)).square()
    weight = weight.to(errors.dtype).expand_as(errors)
    return tuple(((errors * mass).sum(), mass.sum()) for mass in (weight * (target > 0), weight * (target <= 0)))


def to_unit_range(values: Tensor, spec: OutputSpec, blobs: ReadoutLoss, clamp: bool = True) -> Tensor:
    """What a head gave, in the range that the encoding decodes.

    Under the `softmax` loss a blob map is the probability of each cell times the mass of a Gaussian of peak 1, so that
    a certain answer peaks at 1 and a spread-out one stays low. Without `clamp` values beyond [0, 1] stay there, so that
    every cell has a gradient.
    """
    match spec.kind:
        case "blobs":
            unit = _unit_blobs(values, blobs, spec.blob_sigma)
            return unit.clamp(max=1) if clamp and blobs == "softmax" else unit
        case "sparse-image":
            return (values + 0.5).clamp(0, 1) if clamp else values + 0.5
        case "dense-image":
            return (values + 1) / 2
        case "values":
            return values.clamp(0, 1) if clamp else values
        case "affine-values":
            low, high = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
            return (values - low) / (high - low).clamp(min=1e-6)
        case "matching" | "appearance" | "vector":
            return values
        case _:
            assert_never(spec.kind)


def _unit_blobs(maps: Tensor, loss: ReadoutLoss, sigma: float | None) -> Tensor:
    match loss:
        case "mse" | "published":
            return maps
        case "cross-entropy":
            return maps.sigmoid()
        case "softmax":
            assert sigma is not None  # the method refuses other outputs
            mass = 2 * math.pi * sigma**2 * maps.shape[-2] * maps.shape[-1]
            return (maps.flatten(-2).softmax(-1) * mass).view_as(maps)
        case _:
            assert_never(loss)


def masked_map_loss(maps: Tensor, target: Tensor, weight: Tensor, loss: ReadoutLoss) -> tuple[Tensor, Tensor]:
    """The sum of per-map errors over labelled blob maps, and how many maps were labelled.

    - `mse`: mean squared error against the target (Luo et al., 2024; Sun et al., HRNet, 2019).
    - `cross-entropy`: each cell's logit against the target in [0, 1] as a probability.
    - `softmax`: the place as one choice among all cells, against the target as a distribution. It learns small
      subjects many times faster, and is undefined for empty maps.

    The last two are less the target's own entropy, so that a perfect map scores 0: Kullback-Leibler divergences.

    Args:
        maps: Raw output (batch, channels, height, width).
        target: In [0, 1], same shape.
        weight: Broadcasts against `maps`; 0 where nothing is labelled.
        loss: Which.
    """
    weight = weight.to(maps.dtype).expand_as(maps).amax(dim=(-2, -1))
    match loss:
        case "mse" | "published":
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


def _per_image(errors: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Each image's weighted mean, added up over the images that have any weight."""
    weight = weight.to(errors.dtype).expand_as(errors).flatten(1)
    mass = weight.sum(1)
    means = (errors.flatten(1) * weight).sum(1) / mass.clamp(min=1e-6)
    return means.sum(), (mass > 0).to(errors.dtype).sum()


def _sparse_error(maps: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Half the mean over empty cells plus half the mean over drawn ones; the one kind alone where the other lacks."""
    drawn = (target > EMPTY - 0.5).any(1, keepdim=True).expand_as(target)
    errors = (maps - target).square().flatten(1)
    means, present = [], []
    for part in (drawn, ~drawn):
        mass = (weight * part).flatten(1)
        means.append((errors * mass).sum(1) / mass.sum(1).clamp(min=1e-6))
        present.append((mass.sum(1) > 0).to(errors.dtype))
    kinds = present[0] + present[1]
    mean = (means[0] * present[0] + means[1] * present[1]) / kinds.clamp(min=1)
    return mean.sum(), (kinds > 0).to(errors.dtype).sum()


def _standardised(maps: Tensor, weight: Tensor) -> Tensor:
    """Each map centred and divided by its mean absolute deviation, over the cells of weight 1.

    As the scale- and shift-invariant loss of Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2022,
    eq. 5-7, with means in place of medians.
    """
    mass = weight.sum((-2, -1), keepdim=True).clamp(min=1e-6)
    centred = maps - (maps * weight).sum((-2, -1), keepdim=True) / mass
    spread = (centred.abs() * weight).sum((-2, -1), keepdim=True) / mass
    return centred / spread.clamp(min=1e-4)
