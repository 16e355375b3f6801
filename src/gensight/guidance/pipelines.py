"""Steers the user's own diffusers pipeline.

A pipeline's `callback_on_step_end` fires after the scheduler's step, without gradients, and never before step 0. Every
pipeline scales the latents for the U-Net before each step: there they can be moved in time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.errors import ConfigError
from gensight.guidance.goals import Goal
from gensight.guidance.steering import Steering, steer


@contextmanager
def steered(
    pipeline: Any,
    backbone: DiffusionBackbone,
    goals: Sequence[Goal],
    prompts: Sequence[str],
    steering: Steering,
    negative_prompts: Sequence[str] = ("",),
) -> Iterator[dict[int, Tensor]]:
    """Inside the block, calls of a pipeline are steered from step 0 on.

        with steered(pipeline, backbone, goals, ["a cat"], Steering()):
            images = pipeline("a cat", ...).images

    The pipeline may hold a ControlNet or an adapter; goals read the U-Net without it.

    Args:
        pipeline: Of text to image, with a U-Net: its `scheduler` has `scale_model_input` and `step`.
        backbone: The goals' heads were trained on it; its weights are the pipeline's.
        goals: The guidance goals.
        prompts: One for all images of a call, or one for each.
        steering: How latents are moved.
        negative_prompts: As `prompts`, where the steering counts both branches.

    Yields:
        Step -> (batch,), the goals' error at each steered step of the latest call; filled while it runs.

    Raises:
        ConfigError: If the pipeline's U-Net is not the backbone's.
    """
    _refuse_other_unet(pipeline, backbone)
    scheduler = pipeline.scheduler
    if "scale_model_input" in vars(scheduler) or "step" in vars(scheduler):
        raise ConfigError("this pipeline is steered already", hint="give all goals to one `steered`")
    branches = (prompts, negative_prompts)[: 2 if steering.branches == "both" else 1]
    calls = _Steered(scheduler, backbone, goals, branches, steering)
    scheduler.scale_model_input, scheduler.step = calls.scale_model_input, calls.step
    try:
        with backbone.checkpointed(steering.memory == "low"):
            yield calls.errors
    finally:
        del scheduler.scale_model_input, scheduler.step


def _refuse_other_unet(pipeline: Any, backbone: DiffusionBackbone) -> None:
    mine, theirs = backbone.unet.state_dict(), pipeline.unet.state_dict()
    same = mine.keys() == theirs.keys() and all(
        value.shape == theirs[name].shape and torch.equal(value.float(), theirs[name].to(value.device).float())
        for name, value in mine.items()
    )
    if not same:
        raise ConfigError(
            "the pipeline's U-Net is not the one that the heads were trained on",
            hint="load the pipeline from the folder that the runs' backbone names",
        )


@dataclass(eq=False)
class _Steered:
    """A scheduler's two methods: the latents that were moved before a step are those that the step starts from."""

    scheduler: Any
    backbone: DiffusionBackbone
    goals: Sequence[Goal]
    branches: tuple[Sequence[str], ...]
    steering: Steering
    errors: dict[int, Tensor] = field(default_factory=dict)
    moved: Tensor | None = None
    number: int = 0

    def __post_init__(self) -> None:
        self.plain_scale: Callable[..., Tensor] = self.scheduler.scale_model_input
        self.plain_step: Callable[..., Any] = self.scheduler.step

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:
        if float(timestep) == float(self.scheduler.timesteps[0]):
            self.number = 0
            self.errors.clear()
        self.moved = None
        steers = bool(self.goals) and self.steering.weight != 0
        if not steers or self.number not in self.steering.steered(len(self.scheduler.timesteps)):
            return self.plain_scale(sample, timestep)
        # Classifier-free guidance passes each latent to the U-Net twice, with and without the prompt.
        copies = 2 if len(sample) % 2 == 0 and torch.equal(*sample.chunk(2)) else 1
        latents = sample.chunk(copies)[0]
        texts = [self.backbone.embed_text(list(prompts)) for prompts in self.branches]
        texts = [text.expand(len(latents)) if len(text.tokens) == 1 else text for text in texts]
        self.moved, self.errors[self.number] = steer(
            self.backbone, self.goals, self.steering, latents, timestep, texts, self.number, self.plain_scale
        )
        return self.plain_scale(torch.cat([self.moved] * copies), timestep)

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, *args: Any, **options: Any) -> Any:
        start = sample if self.moved is None else self.moved.to(sample.dtype)
        self.number, self.moved = self.number + 1, None
        return self.plain_step(model_output, timestep, start, *args, **options)
