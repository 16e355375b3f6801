"""Guidance goals: the error of a generated image, differentiable in the features of the noisy latent."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from gensight.backbones.base import Features
from gensight.guidance.carrying import with_disc_points
from gensight.guidance.heads import GuidingHead
from gensight.samples import Size

# Step -> descriptors of a reference, or a pair of them: with the prompt, and with the negative prompt.
Reference = Mapping[int, Tensor | tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of a sampler at one step.

    Attributes:
        step: Number of the step, from 0.
        latents: (batch, channels, height, width), the noisy latents, as the backbone takes them.
        model_size: (height, width) of the image.
        branch: Of classifier-free guidance: 0 with the prompt, 1 with the negative prompt.
    """

    step: int
    latents: Tensor
    model_size: Size
    branch: int = 0


@dataclass(frozen=True, eq=False)
class Goal(ABC):
    """One guidance term: an error that steering lowers.

    Attributes:
        head: What it reads in the features.
        weight: Its factor in the sum, or one for each step; under `adam` and `unit` only ratios of goals count.
        unguided: Step -> (batch, channels, h, w): the unguided images' latents, whose range counts with that of the
            guided ones, as published; None for the guided ones' own range.
    """

    head: GuidingHead
    weight: float | tuple[float, ...] = field(default=1.0, kw_only=True)
    unguided: dict[int, Tensor] | None = field(default=None, kw_only=True)

    @abstractmethod
    def error(self, features: Features, moment: Moment) -> Tensor:
        """(batch,): how far each image is from the target."""

    def weight_at(self, step: int) -> float:
        """Its factor at a step."""
        return self.weight[step] if isinstance(self.weight, tuple) else self.weight

    def latent_range(self, moment: Moment) -> Tensor:
        """(batch,): largest less smallest latent, without gradient."""
        latents = moment.latents.detach().flatten(1)
        low, high = latents.amin(1), latents.amax(1)
        if self.unguided is not None:
            others = self.unguided[moment.step].flatten(1)
            low, high = torch.minimum(low, others.amin(1)), torch.maximum(high, others.amax(1))
        return high - low


@dataclass(frozen=True, eq=False)
class SpatialGoal(Goal):
    """The map that the head predicts should equal a control map (Luo et al., 2024, section 4.1).

    Both are brought to the range of the latents before they are compared, as published.

    Attributes:
        control: (channels, grid_height, grid_width) in [0, 1].
        mask: (grid_height, grid_width) in [0, 1], where it counts; None for everywhere.
    """

    control: Tensor
    mask: Tensor | None = None

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps = self.head(features, moment.model_size)
        squared = region_mean((maps - self.control).square().mean(1), self.mask)
        return squared * self.latent_range(moment) ** 2


@dataclass(frozen=True, eq=False)
class DragGoal(Goal):
    """The descriptors of each handle should be found at its target, and no longer at the handle (section 4.2).

    -0.5 s(reference at handle, result at target) + 0.5 s(reference at handle, result at handle), mean over points,
    where s is the cosine brought to [0, 1].

    Attributes:
        reference: Step -> (1 or batch, channels, grid_height, grid_width), the reference's descriptors at that step; or
            a pair of these, one for each branch of classifier-free guidance.
        handles: (num_points, 2), (x, y) in model pixels.
        targets: (num_points, 2).
        radius: Of the disc around each handle that moves with it, in model pixels; 0: the points alone, as published.
        by_cell: Points stand for the cells that they lie in, as published; else they are read between cells.
    """

    reference: Reference
    handles: Tensor
    targets: Tensor
    radius: float = 0.0
    by_cell: bool = False

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps = self.head(features, moment.model_size)
        handles, targets = with_disc_points(self.handles, self.targets, self.radius, moment.model_size)
        if self.by_cell:
            cell = torch.tensor([moment.model_size[axis] / maps.shape[axis - 2] for axis in (1, 0)])
            handles, targets = (((points.float().cpu() / cell).floor() + 0.5) * cell for points in (handles, targets))
        reference = sample_points(_at(self.reference, moment), handles, moment.model_size)
        at_target = sample_points(maps, targets, moment.model_size)
        at_handle = sample_points(maps, handles, moment.model_size)
        moved = functional.cosine_similarity(reference, at_target, dim=1)
        left = functional.cosine_similarity(reference, at_handle, dim=1)
        return (left - moved).mean(-1) / 4


@dataclass(frozen=True, eq=False)
class AppearanceGoal(Goal):
    """The image should have the appearance of a reference: mean of (1 - cos) between their descriptors (section 4.3).

    Times the squared range of the latents, as published, so that it weighs like a spatial term.

    Attributes:
        reference: As in `DragGoal`.
        reference_region: (grid_height, grid_width) in [0, 1]; None for the whole image.
        region: The same for the result.
        cells: Regions are boxes of whole cells, resized to the grid and compared cell by cell, as published; else their
            mean descriptors are compared.
    """

    reference: Reference
    reference_region: Tensor | None = None
    region: Tensor | None = None
    cells: bool = False

    def error(self, features: Features, moment: Moment) -> Tensor:
        maps, reference = self.head(features, moment.model_size), _at(self.reference, moment)
        if self.cells or (self.reference_region is None and self.region is None):
            target, result = _resized_box(reference, self.reference_region), _resized_box(maps, self.region)
            distance = (1 - functional.cosine_similarity(target, result, dim=1)).mean((-2, -1))
        else:  # regions of different shapes have no cells in common
            target, result = region_mean(reference, self.reference_region), region_mean(maps, self.region)
            distance = 1 - functional.cosine_similarity(target, result, dim=1)
        return distance * self.latent_range(moment) ** 2


def _at(reference: Reference, moment: Moment) -> Tensor:
    known = reference[moment.step]
    return known if isinstance(known, Tensor) else known[moment.branch]


def _resized_box(maps: Tensor, region: Tensor | None) -> Tensor:
    """The box of the cells that a region covers at least by half, brought to the size of the whole map."""
    if region is None:
        return maps
    size = (maps.shape[-2], maps.shape[-1])
    rows, columns = (torch.nonzero(region.amax(axis) >= region.max() / 2).flatten() for axis in (1, 0))
    box = maps[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return functional.interpolate(box, size=size, mode="bilinear", align_corners=False)


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
