"""Losses of the one-step model: per task, in pixel space."""

import torch
from jaxtyping import Float
from torch import Tensor

from gensight.encodings.painted.base import colour_temperature
from gensight.instructions.grammar import TASKS

_SMOOTH = 1.0
Picture = Float[Tensor, "batch 3 height width"]
Weight = Float[Tensor, "batch 1 height width"]
Losses = Float[Tensor, " batch"]


def overlap_loss(picture: Picture, target: Picture, weight: Weight) -> Losses:
    """1 - 2 p t / (p^2 + t^2) over what is known (Milletari et al., "V-Net", 3DV 2016): the size of a thing doesn't
    matter. Where the target is black, black is right."""
    inside, truth = picture.clamp(0, 1) * weight, target * weight
    shared = (inside * truth).flatten(1).sum(1)
    total = (inside**2).flatten(1).sum(1) + (truth**2).flatten(1).sum(1)
    return 1 - (2 * shared + _SMOOTH) / (total + _SMOOTH)


def _mean(values: Tensor, weight: Weight) -> Losses:
    """Mean over what is known; 0 where nothing is."""
    return (values * weight).mean(1).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=1)


def _mean_colour(picture: Picture, weight: Weight) -> Float[Tensor, "batch 3"]:
    return (picture * weight).flatten(2).sum(2) / weight.flatten(1).sum(1).clamp(min=1)[:, None]


def class_loss(picture: Picture, weight: Weight, palettes: list[Tensor], right: list[int]) -> Losses:
    """Cross-entropy of the right colour among those that may be answered, by their squared distances to the mean
    colour over a temperature, times that temperature: about by how much the right one is farther than the nearest.

    Squared error alone asks an undecided model for the mean of the colours, which may be another class's.

    Args:
        picture: About in [0, 1].
        weight: What is known.
        palettes: Per item, float (num_colours, 3).
        right: Per item, the place of the right colour.
    """
    means = _mean_colour(picture, weight)
    found = []
    for mean, palette, place in zip(means, palettes, right, strict=True):
        temperature = colour_temperature(palette.cpu().numpy())
        near = -((mean - palette.to(mean)) ** 2).sum(1) / temperature
        found.append(temperature * (near.logsumexp(0) - near[place]))
    return torch.stack(found)


def task_loss(tasks: list[str | None], picture: Picture, target: Picture, weight: Weight, overlap: float) -> Losses:
    """Masks, boxes, drawings by squared error and overlap; depth and restored images by absolute error, classes by mean
    colour too.

    Args:
        tasks: Of each item.
        picture: About in [0, 1].
        target: In [0, 1].
        weight: 1 where the target is known.
        overlap: Weight of the overlap.
    """
    losses = _mean((picture - target) ** 2, weight)
    for task in TASKS:
        rows = [number for number, name in enumerate(tasks) if name == task]
        if not rows:
            continue
        answers, targets, known = picture[rows], target[rows], weight[rows]
        match task:
            case "depth" | "derain" | "low-light" | "denoise":
                extra = _mean((answers - targets).abs(), known)
            case "classify" | "colour":
                extra = ((_mean_colour(answers, known) - _mean_colour(targets, known)) ** 2).mean(1)
            case _:
                extra = overlap * overlap_loss(answers, targets, known)
        losses = losses.index_add(0, torch.tensor(rows, device=losses.device), extra)
    return losses
