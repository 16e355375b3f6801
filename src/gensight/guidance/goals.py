"""Guidance goals: the error of a generated image, differentiable in the features of the noisy latent."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from gensight.backbones.base import Features
from gensight.guidance.carrying import with_disc_points
from gensight.guidance.heads import GuidingHead
from gensight.samples import Size


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of a sampler at one step.

    Attributes:
        step: Number of the step, from 0.
        latents: (batch, channels, height, width), the noisy latents, as the backbone takes them.
        model_size: (height, width) of the image.
    """

    step: int
    latents: Tensor
    model_size: Size


@dataclass(frozen=True, eq=False)
class Goal(ABC):
    """One guidance term: an error that steering lowers.

    Attributes:
        head: What it reads in the features.
        weight: Its share of the sum; with the sign and unit-norm rules only the ratio between goals matters.
    """

    head: GuidingHead
    weight: float = field(default=1.0, kw_only=True)

    @abstractmethod
    def error(self, features: Features, moment: Moment) -> Tensor:
        """(batch,): how far each image is from the target."""


@dataclass(frozen=True, eq=False)
class SpatialGoal(Goal):
    """The map that the head predicts should equal a control map (Luo et al., 2024, section 4.1).

    Both are brought from [0, 1] to the range of the latents before they are compared, as published.

    Attributes:
        control: (channels, grid_height, grid_width) in [0, 1].
        mask: (grid_height, grid_width) in [0, 1], where it counts; None for everywhere.
    """

    control: Tensor
    mask: Tensor | None = None

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps = self.head(features, moment.model_size)
        latents = moment.latents.detach().flatten(1)
        reach = (latents.amax(1) - latents.amin(1)).view(-1, 1, 1, 1)
        return region_mean(((maps - self.control) * reach).square().mean(1), self.mask)


@dataclass(frozen=True, eq=False)
class DragGoal(Goal):
    """The descriptors of each handle should be found at its target, and no longer at the handle (section 4.2).

    -0.5 cos(reference at handle, result at target) + 0.5 cos(reference at handle, result at handle), mean over points.

    Attributes:
        reference: Step -> (1 or batch, channels, grid_height, grid_width), the reference's descriptors at that step.
        handles: (num_points, 2), (x, y) in model pixels.
        targets: (num_points, 2).
        radius: Of the disc around each handle that moves with it, in model pixels; 0: the points alone, as published.
    """

    reference: dict[int, Tensor]
    handles: Tensor
    targets: Tensor
    radius: float = 0.0

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps = self.head(features, moment.model_size)
        handles, targets = with_disc_points(self.handles, self.targets, self.radius, moment.model_size)
        reference = sample_points(self.reference[moment.step], handles, moment.model_size)
        at_target = sample_points(maps, targets, moment.model_size)
        at_handle = sample_points(maps, handles, moment.model_size)
        moved = functional.cosine_similarity(reference, at_target, dim=1)
        left = functional.cosine_similarity(reference, at_handle, dim=1)
        return (0.5 * left - 0.5 * moved).mean(-1)


@dataclass(frozen=True, eq=False)
class AppearanceGoal(Goal):
    """The image should have the appearance of a reference: mean of (1 - cos) between their descriptors (section 4.3).

    Attributes:
        reference: Step -> (1 or batch, channels, grid_height, grid_width).
        reference_region: (grid_height, grid_width) in [0, 1]; None for the whole image.
        region: The same for the result.
    """

    reference: dict[int, Tensor]
    reference_region: Tensor | None = None
    region: Tensor | None = None

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps = self.head(features, moment.model_size)
        reference = self.reference[moment.step]
        if self.reference_region is None and self.region is None:
            return (1 - functional.cosine_similarity(reference, maps, dim=1)).mean((-2, -1))
        # Regions of different shapes have no cells in common: their mean descriptors are compared.
        target, result = region_mean(reference, self.reference_region), region_mean(maps, self.region)
        return 1 - functional.cosine_similarity(target, result, dim=1)


def region_mean(maps: Tensor, region: Tensor | None) -> Tensor:
    """The mean of maps (..., h, w) over a region (h, w) in [0, 1]; over all if None."""
    if region is None:
        return maps.mean((-2, -1))
    return (maps * region).sum((-2, -1)) / region.sum().clamp(min=1e-6)


def sample_points(maps: Tensor, points: Tensor, model_size: Size) -> Tensor:
    """(batch, channels, num_points): maps (batch, channels, h, w) read bilinearly at points (n, 2) in model pixels."""
    height, width = model_size
    scale = torch.tensor([2 / width, 2 / height], dtype=maps.dtype, device=maps.device)
    places = points.to(maps) * scale - 1
    grid = places.view(1, 1, -1, 2).expand(len(maps), -1, -1, -1)
    # align_corners=False puts the cells' outer borders at -1 and 1: the convention of the model frame.
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)[:, :, 0]
