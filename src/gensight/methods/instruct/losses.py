"""Losses of the one-step model: per task, in pixel space."""

import torch
from jaxtyping import Float
from torch import Tensor

from gensight.encodings.painted.base import colour_temperature
from gensight.instructions.grammar import TASKS

_SMOOTH = 1.0


def squared_error(
    picture: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    weight: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """Mean over what is known; 0 where nothing is."""
    return _mean((picture - target) ** 2, weight)


def absolute_error(
    picture: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    weight: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """Mean over what is known; 0 where nothing is."""
    return _mean((picture - target).abs(), weight)


def overlap_loss(
    picture: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    weight: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """1 - 2 p t / (p^2 + t^2) over what is known (Milletari et al., "V-Net", 3DV 2016): the size of a thing doesn't
    matter. Where the target is black, black is right."""
    inside, truth = picture.clamp(0, 1) * weight, target * weight
    shared = (inside * truth).flatten(1).sum(1)
    total = (inside**2).flatten(1).sum(1) + (truth**2).flatten(1).sum(1)
    return 1 - (2 * shared + _SMOOTH) / (total + _SMOOTH)


def colour_error(
    picture: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    weight: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """Squared error of the mean colour, for answers of one colour."""
    mass = weight.flatten(1).sum(1).clamp(min=1)
    means = [(one * weight).flatten(2).sum(2) / mass[:, None] for one in (picture, target)]
    return ((means[0] - means[1]) ** 2).mean(1)


def class_loss(
    picture: Float[Tensor, "batch 3 height width"],
    weight: Float[Tensor, "batch 1 height width"],
    palettes: list[Tensor],
    right: list[int],
) -> Float[Tensor, " batch"]:
    """Cross-entropy of the right colour among those that may be answered, by their squared distances to the mean
    colour over a temperature, times that temperature: about by how much the right one is farther than the nearest.

    Squared error alone asks an undecided model for the mean of the colours, which may be another class's.

    Args:
        picture: About in [0, 1].
        weight: What is known.
        palettes: Per item, float (num_colours, 3).
        right: Per item, the place of the right colour.
    """
    means = (picture * weight).flatten(2).sum(2) / weight.flatten(1).sum(1).clamp(min=1)[:, None]
    found = []
    for mean, palette, place in zip(means, palettes, right, strict=True):
        temperature = colour_temperature(palette.cpu().numpy())
        near = -((mean - palette.to(mean)) ** 2).sum(1) / temperature
        found.append(temperature * (near.logsumexp(0) - near[place]))
    return torch.stack(found)


def task_loss(tasks: list[str | None], picture: Tensor, target: Tensor, weight: Tensor, overlap: float) -> Tensor:
    """(B,): masks, boxes, drawings by squared error and overlap; depth by absolute error, classes by mean colour too.

    Args:
        tasks: Of each item.
        picture: (B, 3, height, width), about in [0, 1].
        target: In [0, 1].
        weight: (B, 1, height, width).
        overlap: Weight of the overlap.
    """
    squared = squared_error(picture, target, weight)
    extra = torch.zeros_like(squared)
    for task in TASKS:
        rows = [number for number, name in enumerate(tasks) if name == task]
        if not rows:
            continue
        of = picture[rows], target[rows], weight[rows]
        match task:
            case "depth":
                extra[rows] = absolute_error(*of)
            case "classify":
                extra[rows] = colour_error(*of)
            case _:
                extra[rows] = overlap * overlap_loss(*of)
    return squared + extra


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    mass = weight.flatten(1).sum(1)
    return (values * weight).mean(1).flatten(1).sum(1) / mass.clamp(min=1)
