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
from gensight.guidance.heads import read_noisy
from gensight.samples import Size

Normalisation = Literal["adam", "unit", "raw"]
Branches = Literal["prompted", "both"]
Memory = Literal["normal", "low"]
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)
BRANCHES: tuple[Branches, ...] = get_args(Branches)
MEMORIES: tuple[Memory, ...] = get_args(Memory)


@dataclass(frozen=True)
class Steering:
    """How latents are moved.

    Attributes:
        weight: Length of a move: Adam's learning rate under `adam`, as a share of the latent's norm under `unit`, the
            factor on the gradient under `raw`. 0.02 with `adam` is the published choice.
        normalisation: `adam`: one Adam over the inner steps, whose first step is the gradient's sign, as published;
            `unit`: the gradient scaled to unit norm; `raw`: the gradient.
        start: Where the steered part of the trajectory begins, as a share of its steps.
        share: Where it ends; both are cut to whole steps, as published.
        inner_steps: Moves at each steered step.
        branches: Of classifier-free guidance, that the error is summed over: `prompted`, or `both`, as published.
        memory: `low` keeps no activations of the U-Net's blocks and computes them twice.
        as_published: What else the published method does: appearance and drags refer to the unguided image's own
            trajectory, dragged points stand for cells, correspondence heads get no time embedding, and the range of
            latents is that of the unguided and the guided image together.
    """

    weight: float = 0.02
    normalisation: Normalisation = "adam"
    start: float = 0.0
    share: float = 0.5
    inner_steps: int = 1
    branches: Branches = "prompted"
    memory: Memory = "normal"
    as_published: bool = False

    def steered(self, steps: int) -> range:
        """Which of a trajectory's steps are steered."""
        return range(int(self.start * steps), int(self.share * steps))


def steer(
    backbone: DiffusionBackbone,
    goals: Sequence[Goal],
    steering: Steering,
    latents: Tensor,
    timestep: int | Tensor,
    texts: Sequence[TextEmbedding],
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
        texts: The prompts, one for each image; then the negative prompts, where both branches count.
        step: Number of the step, from 0.
        scale: Multiplies latents by a number for the U-Net: the scheduler's `scale_model_input`.

    Raises:
        RunError: If a gradient is not finite.
    """
    size = (latents.shape[-2] * backbone.stride, latents.shape[-1] * backbone.stride)
    scaled = scale(latents, timestep)
    factor = float((scaled.flatten()[0] / latents.flatten()[0]).item()) if scaled is not latents else 1.0
    mover, errors = Mover(scaled, steering), []
    for _ in range(steering.inner_steps):
        parts = [
            goal_gradient(backbone, goals, mover.latents, timestep, text, step, size, branch)
            for branch, text in enumerate(texts)
        ]
        gradient, error = (torch.stack(both).sum(0) for both in zip(*parts, strict=True))
        errors.append(error)
        mover.move(gradient)
    return mover.latents / factor, errors[0]


def goal_gradient(
    backbone: DiffusionBackbone,
    goals: Sequence[Goal],
    latents: Tensor,
    timestep: int | Tensor,
    text: TextEmbedding,
    step: int,
    model_size: Size,
    branch: int = 0,
) -> tuple[Tensor, Tensor]:
    """The gradient of the goals' weighted sum with respect to the latents, and the sum (batch,).

    The gradient flows through the layers in use only. Latents are what the U-Net takes (scaled, for samplers that
    scale). Where the backbone is `checkpointed`, the heads keep no activations either.
    """
    with torch.enable_grad():
        moving = latents.detach().requires_grad_(True)
        features = read_noisy(backbone, moving, timestep, text)
        moment = Moment(step, moving, model_size, branch)
        if backbone.unet.is_gradient_checkpointing:
            errors = [checkpoint(goal.error, features, moment, use_reentrant=False) for goal in goals]
        else:
            errors = [goal.error(features, moment) for goal in goals]
        error = torch.stack([goal.weight_at(step) * one for goal, one in zip(goals, errors, strict=True)]).sum(0)
        (gradient,) = torch.autograd.grad(error.sum(), moving)
    return gradient, error.detach()


class Mover:
    """Latents that are moved against gradients, one after another.

    Attributes:
        latents: Where they are.
    """

    def __init__(self, latents: Tensor, steering: Steering) -> None:
        self.latents, self._steering = latents, steering
        self._precision = torch.promote_types(latents.dtype, torch.float32)  # half has no room for squares
        self._moving = torch.nn.Parameter(latents.detach().to(self._precision, copy=True))
        self._adam = torch.optim.AdamW([self._moving], lr=steering.weight, weight_decay=0.0)

    def move(self, gradient: Tensor) -> None:
        """Moves the latents once.

        Raises:
            RunError: If the gradient is not finite.
        """
        if not torch.isfinite(gradient).all():
            raise RunError("the guidance gradient is not finite", hint="use a lower weight, or a backbone in float32")
        weight = self._steering.weight
        match self._steering.normalisation:
            case "adam":
                self._moving.grad = gradient.to(self._precision)
                self._adam.step()
                self.latents = self._moving.detach().to(self.latents.dtype, copy=True)
            case "unit":
                length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
                size = self.latents.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
                self.latents = self.latents - weight * size * gradient / length
            case "raw":
                self.latents = self.latents - weight * gradient
            case _:
                assert_never(self._steering.normalisation)
