"""From noise to x0 with diffusers' samplers.

The network's answer is turned into x0, clamped to its range, and handed to the sampler as such, so that every target
goes with every sampler. Steps are spaced from the last noise level down (`trailing`), so that the first one starts at
the noise that the network was trained on (Lin et al., WACV 2024, section 3.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from gensight.diffusion.noise import mix
from gensight.errors import ConfigError, nearest

SamplerName = Literal["ddim", "euler", "euler-ancestral", "ancestral", "dpm-solver++"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
# (x_t, timesteps (B,)) -> estimate of x0
Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Sampling:
    """What a user sets of a prediction's sampling; None: as the run was made.

    Attributes:
        sampler: `ddim` (Song et al., ICLR 2021), `euler` and `euler-ancestral` (Karras et al., NeurIPS 2022),
            `ancestral` (Ho et al., NeurIPS 2020) or `dpm-solver++` (Lu et al., 2022).
        steps: Number of steps.
        text_guidance: Weight of the text's direction; 1: no guidance.
        image_guidance: Weight of the image's direction.
        num_samples: Samples that a prediction is made of.
        seed: Changes the noise of every item.

    Raises:
        ConfigError: For a sampler that there is not, or numbers below 1.
    """

    sampler: SamplerName | None = None
    steps: int | None = None
    text_guidance: float | None = None
    image_guidance: float | None = None
    num_samples: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.sampler is not None and self.sampler not in SAMPLERS:
            near = nearest(self.sampler, SAMPLERS)
            hint = f"did you mean `{near}`?" if near else None
            raise ConfigError(f"there is no sampler `{self.sampler}`", where="sampler", choices=SAMPLERS, hint=hint)
        for name in ("steps", "num_samples"):
            if (getattr(self, name) or 1) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is not positive", where=name)

    @property
    def chosen(self) -> dict[str, Any]:
        """The fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def changed(self, by: "Sampling | None") -> "Sampling":
        """This sampling with the fields that are set in `by`."""
        return self if by is None else replace(self, **by.chosen)

    def keys(self, keys: Tensor) -> Tensor:
        """int64 (B,): the items' keys under this seed; without a seed, or with 0, as they are."""
        if not self.seed:
            return keys
        return torch.tensor([mix(self.seed, key) for key in keys.tolist()], dtype=torch.int64)


def scale_input(values: Tensor, scale: float) -> Tensor:
    """Maps in [0, 1] -> x0 in [-scale, scale] (Chen et al., "Analog Bits", ICLR 2023; smaller is noisier)."""
    return scale * (2 * values - 1)


def unscale_output(x0: Tensor, scale: float) -> Tensor:
    """The inverse of `scale_input`."""
    return (x0 / scale + 1) / 2


def normalise(x_t: Tensor) -> Tensor:
    """Each item divided by its own standard deviation (Chen, "On the Importance of Noise Scheduling", 2023)."""
    return x_t / x_t.flatten(1).std(1).clamp(min=1e-6).view(-1, *([1] * (x_t.ndim - 1)))


def with_offset(noise: Tensor, offsets: Tensor, strength: float) -> Tensor:
    """Offset noise: the same normal number added to a whole channel, so that its mean level is noised too.

    Args:
        noise: (B, channels, height, width).
        offsets: (B, channels, 1, 1), standard normal.
        strength: Its factor.
    """
    return noise + strength * offsets


def sample(
    denoise: Denoise,
    noise: Tensor,
    alphas_cumprod: Tensor,
    num_steps: int,
    sampler: SamplerName = "ddim",
    limit: float = 1.0,
    keys: Sequence[int] = (),
) -> Tensor:
    """x0 (B, ...) from noise (B, ...).

    Args:
        denoise: The network.
        noise: What to start from, standard normal.
        alphas_cumprod: float32 (T,), of training.
        num_steps: 1 to T.
        sampler: `ddim` (deterministic), `ancestral` (adds noise), `dpm-solver++` (second order).
        limit: x0 lies in [-limit, limit].
        keys: One per item: its noise under `ancestral`.

    Raises:
        ConfigError: There are not so many noise levels.
    """
    num_levels = len(alphas_cumprod)
    if not 1 <= num_steps <= num_levels:
        raise ConfigError(f"{num_steps} sampling steps of {num_levels} noise levels", hint=f"choose 1 to {num_levels}")
    scheduler = _scheduler(sampler, alphas_cumprod)
    scheduler.set_timesteps(num_steps)
    generators = [torch.Generator().manual_seed(mix(int(key), 1 << 20)) for key in keys] or None
    x_t = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        x0 = denoise(x_t, timestep.expand(len(x_t)).to(x_t.device).long())
        answer = x0.clamp(-limit, limit)
        noisy = {"generator": generators} if sampler == "ancestral" else {}
        x_t = scheduler.step(answer, timestep, x_t, **noisy).prev_sample
    return x_t.clamp(-limit, limit)


def _scheduler(sampler: SamplerName, alphas_cumprod: Tensor) -> Any:
    common = {
        "num_train_timesteps": len(alphas_cumprod),
        "prediction_type": "sample",
        "timestep_spacing": "trailing",
    }
    # The samplers rebuild alpha_bar from betas in single precision: pure noise would become an infinite ratio.
    safe = alphas_cumprod.clamp(min=2**-24)
    betas = (1 - safe / torch.cat([safe.new_ones(1), safe[:-1]])).clamp(max=1 - 1e-7).numpy()
    match sampler:
        case "ddim":
            return DDIMScheduler(trained_betas=betas, clip_sample=False, set_alpha_to_one=True, **common)
        case "ancestral":
            return DDPMScheduler(trained_betas=betas, clip_sample=False, variance_type="fixed_small", **common)
        case "dpm-solver++":
            return DPMSolverMultistepScheduler(
                trained_betas=betas, algorithm_type="dpmsolver++", final_sigmas_type="zero", **common
            )
        case _:
            choices = ("ddim", "ancestral", "dpm-solver++")
            raise ConfigError(f"maps are not sampled by {sampler}", where="sampler", choices=choices)
