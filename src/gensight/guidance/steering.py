"""The gradient step that moves a latent towards the goals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.text import TextEmbedding
from gensight.errors import RunError
from gensight.guidance.goals import Goal, Moment
from gensight.samples import Size

Normalisation = Literal["sign", "unit", "raw"]
Memory = Literal["normal", "low"]
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)
MEMORIES: tuple[Memory, ...] = get_args(Memory)


@dataclass(frozen=True)
class Steering:
    """How latents are moved.

    Attributes:
        weight: Length of a move: per element under `sign`, as a share of the latent's norm under `unit`, the factor
            on the gradient under `raw`. 0.02 with `sign` is the published choice.
        normalisation: `sign`: the gradient's sign (a fresh Adam's first step, as published); `unit`: the gradient
            scaled to unit norm; `raw`: the gradient.
        share: Share of the trajectory, from its noisy end, that is steered.
        inner_steps: Moves at each steered step.
        memory: `low` keeps no activations of the U-Net's blocks and computes them twice.
    """

    weight: float = 0.02
    normalisation: Normalisation = "sign"
    share: float = 0.5
    inner_steps: int = 1
    memory: Memory = "normal"

    def num_steps(self, steps: int) -> int:
        """How many of a trajectory's steps are steered."""
        return round(self.share * steps)


def steer(
    backbone: DiffusionBackbone,
    goals: Sequence[Goal],
    steering: Steering,
    latents: Tensor,
    timestep: int | Tensor,
    text: TextEmbedding,
    step: int,
    scale: Callable[[Tensor, int | Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """The latents after all moves of a step, and the goals' error (batch,) before them.

    Args:
        backbone: Frozen; all goals read it.
        goals: The guidance goals.
        steering: How latents are moved.
        latents: (batch, channels, h, w) before the step, as the scheduler keeps them.
        timestep: Of the step.
        text: The prompts, one for each image.
        step: Number of the step, from 0.
        scale: Multiplies latents by a number for the U-Net: the scheduler's `scale_model_input`.

    Raises:
        RunError: If a gradient is not finite.
    """
    errors = []
    size = (latents.shape[-2] * backbone.stride, latents.shape[-1] * backbone.stride)
    for _ in range(steering.inner_steps):
        scaled = scale(latents, timestep)
        gradient, error = goal_gradient(backbone, goals, scaled, timestep, text, step, size)
        errors.append(error)
        factor = float((scaled.flatten()[0] / latents.flatten()[0]).item()) if scaled is not latents else 1.0
        latents = move(scaled, gradient, steering) / factor
    return latents, errors[0]


def goal_gradient(
    backbone: DiffusionBackbone,
    goals: Sequence[Goal],
    latents: Tensor,
    timestep: int | Tensor,
    text: TextEmbedding,
    step: int,
    model_size: Size,
) -> tuple[Tensor, Tensor]:
    """The gradient of the goals' weighted sum with respect to the latents, and the sum (batch,).

    The gradient flows through the layers in use only. Latents are what the U-Net takes (scaled, for samplers that
    scale). Where the backbone is `checkpointed`, the heads keep no activations either.
    """
    with torch.enable_grad():
        moving = latents.detach().requires_grad_(True)
        features = backbone.read_latents(moving, timestep, text)
        moment = Moment(step, moving, model_size)
        if backbone.unet.is_gradient_checkpointing:
            errors = [checkpoint(goal.error, features, moment, use_reentrant=False) for goal in goals]
        else:
            errors = [goal.error(features, moment) for goal in goals]
        error = torch.stack([goal.weight * one for goal, one in zip(goals, errors, strict=True)]).sum(0)
        (gradient,) = torch.autograd.grad(error.sum(), moving)
    return gradient, error.detach()


def move(latents: Tensor, gradient: Tensor, steering: Steering) -> Tensor:
    """The latents, moved against the gradient.

    Raises:
        RunError: If the gradient is not finite.
    """
    if not torch.isfinite(gradient).all():
        raise RunError("the guidance gradient is not finite", hint="use a lower weight, or a backbone in float32")
    match steering.normalisation:
        case "sign":
            return latents - steering.weight * gradient.sign()
        case "unit":
            length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
            size = latents.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            return latents - steering.weight * size * gradient / length
        case "raw":
            return latents - steering.weight * gradient
        case _:
            assert_never(steering.normalisation)
