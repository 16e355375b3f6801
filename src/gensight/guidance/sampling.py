"""The sampler's loop: a diffusers scheduler, classifier-free guidance, and goals that steer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never, get_args

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.text import TextEmbedding
from gensight.guidance.goals import Goal
from gensight.guidance.steering import Steering, goal_gradient, move
from gensight.samples import Size

Sampler = Literal["ddim", "dpm-solver++", "euler"]
Watch = Callable[[int, Tensor], None]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
UNSTEERED = Steering(weight=0.0)


@dataclass(frozen=True)
class Sampling:
    """How images are sampled.

    Attributes:
        prompt: What they show.
        negative_prompt: What they don't.
        size: (height, width) in pixels.
        sampler: `ddim` (Song et al., ICLR 2021), `dpm-solver++` (Lu et al., 2022) or `euler` (Karras et al., 2022).
        steps: Number of steps.
        guidance_scale: Weight of the text; 1 runs no unconditional pass.
        eta: Noise that DDIM adds at each step: 0 none, 1 as much as DDPM.
        seeds: One image for each.
    """

    prompt: str = ""
    negative_prompt: str = ""
    size: Size = (512, 512)
    sampler: Sampler = "ddim"
    steps: int = 50
    guidance_scale: float = 7.5
    eta: float = 1.0
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a sampling left behind.

    Attributes:
        images: float32 (batch, 3, height, width) in [0, 1].
        latents: The noisy latents before each step, as the U-Net takes them, where they were asked for.
        timesteps: Training index of each step (a float for samplers between indices).
        errors: Step -> (batch,), the goals' error at each steered step.
    """

    images: Tensor
    latents: list[Tensor] = field(default_factory=list)
    timesteps: list[float] = field(default_factory=list)
    errors: dict[int, Tensor] = field(default_factory=dict)


def build_scheduler(backbone: DiffusionBackbone, sampler: Sampler) -> Any:
    """A scheduler of the backbone's own training schedule."""
    config = backbone.scheduler.config
    match sampler:
        case "ddim":
            return DDIMScheduler.from_config(config)
        case "dpm-solver++":
            return DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++")
        case "euler":
            return EulerDiscreteScheduler.from_config(config)
        case _:
            assert_never(sampler)


def num_steered(steps: int, steering: Steering) -> int:
    """How many of a trajectory's steps are steered: its first, noisy ones."""
    return round(steering.share * steps)


@torch.no_grad()
def sample(
    backbone: DiffusionBackbone,
    sampling: Sampling,
    goals: Sequence[Goal] = (),
    steering: Steering = UNSTEERED,
    *,
    start: Tensor | None = None,
    keep_latents: bool = False,
    watch: Watch = lambda step, latents: None,
) -> Trajectory:
    """Images from noise, steered where there are goals.

    Without goals, or with a weight of 0, the result is what a diffusers pipeline gives with the same scheduler and one
    generator per seed, to the bit.

    Args:
        backbone: Frozen.
        sampling: How.
        goals: What is wanted.
        steering: How latents are moved towards it.
        start: Latents (batch, channels, h, w) to begin with instead of noise: an inverted image's.
        keep_latents: Keep the latents before each step.
        watch: Called with the step's number and the latents after it.
    """
    scheduler = build_scheduler(backbone, sampling.sampler)
    scheduler.set_timesteps(sampling.steps, device=backbone.device)
    generators = [torch.Generator().manual_seed(seed) for seed in sampling.seeds]
    latents = start
    if latents is None:
        shape = (len(generators), *backbone.latent_shape(sampling.size))
        latents = randn_tensor(shape, generator=generators, device=backbone.device) * scheduler.init_noise_sigma
    text = _embed(backbone, sampling, len(latents))
    trajectory = Trajectory(torch.empty(0))
    steered = num_steered(len(scheduler.timesteps), steering) if goals and steering.weight else 0
    extra: dict[str, Any] = {"eta": sampling.eta} if sampling.sampler == "ddim" else {}
    if sampling.sampler != "dpm-solver++" or sampling.eta:
        extra["generator"] = generators
    with backbone.checkpointed(steering.memory == "low"):
        for number, timestep in enumerate(scheduler.timesteps):
            if number < steered:
                latents, error = _steer(backbone, scheduler, goals, steering, latents, timestep, text, number, sampling)
                trajectory.errors[number] = error
            shown = scheduler.scale_model_input(latents, timestep)
            if keep_latents:
                trajectory.latents.append(shown)
                trajectory.timesteps.append(float(timestep))
            output = _predict(backbone, shown, timestep, text, sampling.guidance_scale)
            latents = scheduler.step(output, timestep, latents, **extra, return_dict=False)[0]
            watch(number, latents)
    images = backbone.decode_latent(latents).clamp(0, 1)
    return Trajectory(images, trajectory.latents, trajectory.timesteps, trajectory.errors)


@dataclass(frozen=True, eq=False)
class _Text:
    positive: TextEmbedding
    negative: TextEmbedding | None

    @property
    def both(self) -> TextEmbedding:
        assert self.negative is not None
        pooled = None
        if self.positive.pooled is not None and self.negative.pooled is not None:
            pooled = torch.cat([self.negative.pooled, self.positive.pooled])
        return TextEmbedding(torch.cat([self.negative.tokens, self.positive.tokens]), pooled)


def _embed(backbone: DiffusionBackbone, sampling: Sampling, batch: int) -> _Text:
    positive = backbone.embed_text([sampling.prompt]).expand(batch)
    if sampling.guidance_scale == 1:
        return _Text(positive, None)
    return _Text(positive, backbone.embed_text([sampling.negative_prompt]).expand(batch))


def _predict(backbone: DiffusionBackbone, shown: Tensor, timestep: Tensor, text: _Text, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans, 2021), both passes in one batch."""
    if text.negative is None:
        return backbone.denoise(shown, timestep, text.positive)[0]
    negative, positive = backbone.denoise(torch.cat([shown, shown]), timestep, text.both)[0].chunk(2)
    return negative + scale * (positive - negative)


def _steer(
    backbone: DiffusionBackbone,
    scheduler: Any,
    goals: Sequence[Goal],
    steering: Steering,
    latents: Tensor,
    timestep: Tensor,
    text: _Text,
    step: int,
    sampling: Sampling,
) -> tuple[Tensor, Tensor]:
    """The latents after the step's moves, and the goals' error before them."""
    first: Tensor | None = None
    for _ in range(steering.inner_steps):
        shown = scheduler.scale_model_input(latents, timestep)
        gradient, error = goal_gradient(backbone, goals, shown, timestep, text.positive, step, sampling.size)
        first = error if first is None else first
        # Scaling multiplies latents by a number, so what was moved is brought back by dividing by it.
        factor = float((shown.flatten()[0] / latents.flatten()[0]).item()) if shown is not latents else 1.0
        latents = move(shown, gradient, steering) / factor
    assert first is not None
    return latents, first
