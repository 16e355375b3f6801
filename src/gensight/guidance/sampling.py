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
        strength: Share of the trajectory that is run, its last part; below 1 it starts from given latents.
    """

    prompt: str = ""
    negative_prompt: str = ""
    size: Size = (512, 512)
    sampler: Sampler = "ddim"
    steps: int = 50
    guidance_scale: float = 7.5
    eta: float = 1.0
    seeds: tuple[int, ...] = (0,)
    strength: float = 1.0

    @property
    def first(self) -> int:
        """Number of the first step that is run."""
        return self.steps - max(1, round(self.strength * self.steps))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a sampling left behind.

    Attributes:
        images: float32 (batch, 3, height, width) in [0, 1].
        clean: The latents after the last step.
        latents: Step -> the noisy latents before it, as the U-Net takes them, where they were asked for.
        timesteps: Step -> its training index (a float for samplers between indices), where latents were asked for.
        errors: Step -> (batch,), the goals' error at each steered step.
    """

    images: Tensor
    clean: Tensor
    latents: dict[int, Tensor] = field(default_factory=dict)
    timesteps: dict[int, float] = field(default_factory=dict)
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


def steered_steps(sampling: Sampling, steering: Steering) -> range:
    """Numbers of the steps that are steered: the first, noisy ones of those that are run."""
    return range(sampling.first, sampling.first + steering.num_steps(sampling.steps - sampling.first))


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
        start: Latents (batch, channels, h, w) to begin the first step with instead of noise: an inverted image's.
        keep_latents: Keep the latents before each step.
        watch: Called with the step's number and the latents after it.
    """
    scheduler = build_scheduler(backbone, sampling.sampler)
    scheduler.set_timesteps(sampling.steps, device=backbone.device)
    generators = [torch.Generator().manual_seed(seed) for seed in sampling.seeds]
    latents = start
    if latents is None:
        assert sampling.first == 0  # the caller has seen to it: noise is where a whole trajectory starts
        shape = (len(generators), *backbone.latent_shape(sampling.size))
        latents = randn_tensor(shape, generator=generators, device=backbone.device) * scheduler.init_noise_sigma
    text = _embed(backbone, sampling, len(latents))
    passed: dict[int, Tensor] = {}
    timesteps: dict[int, float] = {}
    errors: dict[int, Tensor] = {}
    steered = steered_steps(sampling, steering) if goals and steering.weight else ()
    extra: dict[str, Any] = {"eta": sampling.eta} if sampling.sampler == "ddim" else {}
    if sampling.sampler != "dpm-solver++" or sampling.eta:
        extra["generator"] = generators
    with backbone.checkpointed(steering.memory == "low"):
        for number, timestep in list(enumerate(scheduler.timesteps))[sampling.first :]:
            if number in steered:
                latents, errors[number] = _steer(
                    backbone, scheduler, goals, steering, latents, timestep, text, number, sampling
                )
            shown = scheduler.scale_model_input(latents, timestep)
            if keep_latents:
                passed[number], timesteps[number] = shown, float(timestep)
            output = _predict(backbone, shown, timestep, text, sampling.guidance_scale)
            latents = scheduler.step(output, timestep, latents, **extra, return_dict=False)[0]
            watch(number, latents)
    return Trajectory(backbone.decode_latent(latents).clamp(0, 1), latents, passed, timesteps, errors)


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
