"""Images from noise: the sampling loop with classifier-free guidance, and goals that steer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.text import TextEmbedding
from gensight.diffusion.sampling import Denoise, SamplerName, StepHook, build_scheduler, run_sampler
from gensight.guidance.goals import Goal
from gensight.guidance.steering import Steering, steer
from gensight.samples import Size

Watch = Callable[[int, Tensor], None]
UNSTEERED = Steering(weight=0.0)


@dataclass(frozen=True)
class ImageSampling:
    """How images are sampled.

    Attributes:
        prompt: Describes the images.
        negative_prompt: Describes what they should not show.
        size: (height, width) in pixels.
        sampler: See `gensight.diffusion.sampling.Sampling`.
        steps: Number of steps.
        guidance_scale: Scale of classifier-free guidance; 1 runs no unconditional pass.
        unguided_scale: The same for unguided images beside guided ones; `guidance_scale` if None.
        eta: Noise that DDIM adds at each step: 0 none, 1 as much as DDPM.
        seeds: One image for each.
        strength: Share of the trajectory that is run, its last part; below 1 it starts from given latents.
    """

    prompt: str = ""
    negative_prompt: str = ""
    size: Size = (512, 512)
    sampler: SamplerName = "ddim"
    steps: int = 50
    guidance_scale: float = 7.5
    unguided_scale: float | None = None
    eta: float = 1.0
    seeds: tuple[int, ...] = (0,)
    strength: float = 1.0

    @property
    def first(self) -> int:
        """Number of the first step that is run."""
        return self.steps - max(1, round(self.strength * self.steps))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The result of a sampling.

    Attributes:
        images: float32 (batch, 3, height, width) in [0, 1].
        clean: The latents after the last step.
        latents: Step -> the noisy latents before it, as the U-Net takes them, if they are kept.
        timesteps: Step -> its training index (a float for samplers between indices), if latents are kept.
        errors: Step -> (batch,), the goals' error at each steered step.
    """

    images: Tensor
    clean: Tensor
    latents: dict[int, Tensor] = field(default_factory=dict)
    timesteps: dict[int, float] = field(default_factory=dict)
    errors: dict[int, Tensor] = field(default_factory=dict)


def steered_steps(sampling: ImageSampling, steering: Steering) -> range:
    """Numbers of the steps that are steered, of those that are run."""
    steered = steering.steered(sampling.steps - sampling.first)
    return range(sampling.first + steered.start, sampling.first + steered.stop)


def branch_texts(backbone: DiffusionBackbone, sampling: ImageSampling, steering: Steering) -> tuple[TextEmbedding, ...]:
    """The prompt of each branch of classifier-free guidance that goals are read in."""
    prompts = (sampling.prompt, sampling.negative_prompt)
    return tuple(backbone.embed_text([prompt]) for prompt in prompts[: 2 if steering.branches == "both" else 1])


@torch.no_grad()
def sample(
    backbone: DiffusionBackbone,
    sampling: ImageSampling,
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
        sampling: How images are sampled.
        goals: The guidance goals.
        steering: How latents are moved towards them.
        start: Latents (batch, channels, h, w) to begin the first step with instead of noise: an inverted image's.
        keep_latents: Keep the latents before each step.
        watch: Called with the step's number and the latents after it.
    """
    scheduler = build_scheduler(sampling.sampler, backbone.scheduler, clip=False)  # latents go beyond 1
    scheduler.set_timesteps(sampling.steps, device=backbone.device)
    generators = [torch.Generator().manual_seed(seed) for seed in sampling.seeds]
    latents = start
    if latents is None:
        assert sampling.first == 0  # checked by the caller: a trajectory from noise starts at step 0
        shape = (len(generators), *backbone.latent_shape(sampling.size))
        latents = randn_tensor(shape, generator=generators, device=backbone.device) * scheduler.init_noise_sigma
    text, *others = (one.expand(len(latents)) for one in branch_texts(backbone, sampling, steering))
    steered = steered_steps(sampling, steering) if goals and steering.weight else range(0)
    steps = _SteeredSteps(backbone, scheduler, goals, steering, steered, (text, *others), keep_latents, watch)
    with backbone.checkpointed(steering.memory == "low"):
        clean = run_sampler(
            _denoiser(backbone, sampling, text), scheduler, latents, first_step=sampling.first, generators=generators,
            eta=sampling.eta, hook=steps,
        )  # fmt: skip
    return Trajectory(backbone.decode_latent(clean).clamp(0, 1), clean, steps.latents, steps.timesteps, steps.errors)


def _denoiser(backbone: DiffusionBackbone, sampling: ImageSampling, positive: TextEmbedding) -> Denoise:
    """The U-Net under classifier-free guidance (Ho and Salimans, 2021), both passes in one batch."""
    if sampling.guidance_scale == 1:
        return lambda x_t, timestep: backbone.denoise(x_t, timestep, positive)[0]
    negative = backbone.embed_text([sampling.negative_prompt]).expand(len(positive.tokens))
    pooled = None
    if positive.pooled is not None and negative.pooled is not None:
        pooled = torch.cat([negative.pooled, positive.pooled])
    both = TextEmbedding(torch.cat([negative.tokens, positive.tokens]), pooled)

    def denoise(x_t: Tensor, timestep: Tensor) -> Tensor:
        without, given = backbone.denoise(torch.cat([x_t, x_t]), timestep, both)[0].chunk(2)
        return without + sampling.guidance_scale * (given - without)

    return denoise


@dataclass(frozen=True, eq=False)
class _SteeredSteps(StepHook):
    """Moves the latents before each steered step, keeps those before every step, and lets the caller watch."""

    backbone: DiffusionBackbone
    scheduler: Any
    goals: Sequence[Goal]
    steering: Steering
    steered: range
    texts: tuple[TextEmbedding, ...]
    keep_latents: bool
    watch: Watch
    latents: dict[int, Tensor] = field(default_factory=dict)
    timesteps: dict[int, float] = field(default_factory=dict)
    errors: dict[int, Tensor] = field(default_factory=dict)

    def before(self, number: int, timestep: Tensor, x_t: Tensor) -> Tensor:
        scale = self.scheduler.scale_model_input
        if number in self.steered:
            x_t, self.errors[number] = steer(
                self.backbone, self.goals, self.steering, x_t, timestep, self.texts, number, scale
            )
        if self.keep_latents:
            self.latents[number] = scale(x_t, timestep)
            self.timesteps[number] = float(timestep)
        return x_t

    def after(self, number: int, x_t: Tensor) -> None:
        self.watch(number, x_t)
