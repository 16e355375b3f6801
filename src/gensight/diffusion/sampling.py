"""The one sampling loop: from noise, or from latents on their way, to a clean sample, by diffusers' schedulers.

`run_sampler` is the loop, for any network and any scheduler of `build_scheduler`; `sample` runs it for networks whose
output is turned into x0 and clamped to its range. There, steps are spaced from the last noise level down (`trailing`),
so that the first one starts at the noise that the network was trained on (Lin et al., WACV 2024, section 3.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from gensight.errors import ConfigError, did_you_mean
from gensight.files.hashing import mix

SamplerName = Literal["ddim", "euler", "euler-ancestral", "ancestral", "dpm-solver++"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
# (x_t as the network takes it, the scheduler's timestep) -> the network's output
Denoise = Callable[[Tensor, Tensor], Tensor]
# (x_t, timesteps (B,)) -> estimate of x0
EstimateX0 = Callable[[Tensor, Tensor], Tensor]
_STEP_NOISE = 1 << 20  # the stream of the noise that a sampler adds, of an item's randomness


def find_sampler(name: str) -> SamplerName:
    """The sampler of that name. ConfigError with the nearest one where there is none."""
    if name not in SAMPLERS:
        hint = did_you_mean(name, SAMPLERS)
        raise ConfigError(f"there is no sampler `{name}`", where="sampler", choices=SAMPLERS, hint=hint)
    return name


@dataclass(frozen=True)
class Sampling:
    """A user's sampling settings of a prediction; None: the run's own.

    Attributes:
        sampler: `ddim` (Song et al., ICLR 2021), `euler` and `euler-ancestral` (Karras et al., NeurIPS 2022),
            `ancestral` (Ho et al., NeurIPS 2020) or `dpm-solver++` (Lu et al., 2022).
        steps: Number of steps.
        text_guidance: Weight of the text's direction; with both weights at 1 there is no guidance.
        image_guidance: Weight of the image's direction.
        num_samples: Samples that are combined into a prediction.
        seed: Changes the noise of every item.

    Raises:
        ConfigError: For an unknown sampler, or numbers below 1.
    """

    sampler: SamplerName | None = None
    steps: int | None = None
    text_guidance: float | None = None
    image_guidance: float | None = None
    num_samples: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.sampler is not None:
            find_sampler(self.sampler)
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


class StepHook:
    """What happens beside each step of a sampler; by itself nothing."""

    def before(self, number: int, timestep: Tensor, x_t: Tensor) -> Tensor:
        """The noisy sample that the step starts from."""
        return x_t

    def after(self, number: int, x_t: Tensor) -> None:
        """Called with the sample after the step."""


NOTHING_BESIDE = StepHook()


def run_sampler(
    denoise: Denoise,
    scheduler: Any,
    start: Tensor,
    *,
    first_step: int = 0,
    generators: list[torch.Generator] | None = None,
    eta: float = 0.0,
    hook: StepHook = NOTHING_BESIDE,
) -> Tensor:
    """The sample after the last step, (B, ...).

    Args:
        denoise: The network: its output has the scheduler's `prediction_type`.
        scheduler: Of `build_scheduler`, with its timesteps set.
        start: (B, ...) before the first step: noise times the scheduler's `init_noise_sigma`, or latents on their way.
        first_step: Number of the step to begin with.
        generators: One per item: of the noise that a sampler adds.
        eta: Noise that DDIM adds at each step: 0 none, 1 as much as DDPM.
        hook: What happens beside the steps.
    """
    options: dict[str, Any] = {"generator": generators, "return_dict": False}
    if type(scheduler).__name__ == "DDIMScheduler":
        options["eta"] = eta
    x_t = start
    for number, timestep in list(enumerate(scheduler.timesteps))[first_step:]:
        x_t = hook.before(number, timestep, x_t)
        output = denoise(scheduler.scale_model_input(x_t, timestep), timestep)
        x_t = scheduler.step(output, timestep, x_t, **options)[0]
        hook.after(number, x_t)
    return x_t


def item_generators(keys: Sequence[int]) -> list[torch.Generator] | None:
    """One generator per item, of the noise that a sampler adds; None without keys."""
    return [torch.Generator().manual_seed(mix(int(key), _STEP_NOISE)) for key in keys] or None


def build_scheduler(sampler: SamplerName, training: Any, *, clip: bool | None = None) -> Any:
    """diffusers' scheduler of a sampler.

    `leading` steps, which leave out the noisiest levels, are what DDIM and DDPM take where nothing is said; whatever
    a pipeline's own sampler, the others are then spaced evenly from the last level to the first (`linspace`), as
    Karras et al. have them. So an editor samples alike from a folder of any version, and from a single file.

    Args:
        sampler: Its name.
        training: The noise schedule that the network was trained with: a diffusers scheduler, or float32 (T,)
            alpha_bar. With alpha_bar, the network's output is x0 (epsilon for `euler-ancestral`, see `sample`).
        clip: Whether `ddim` and `ancestral` clip x0 to [-1, 1] at each step; None: as a given scheduler does.
    """
    import diffusers  # slow to import, and no prediction in one step needs it

    name, options = _SCHEDULERS[sampler]
    kind = getattr(diffusers, name)
    if sampler in ("ddim", "ancestral") and clip is not None:
        options = {**options, "clip_sample": clip}
    if not isinstance(training, Tensor):
        if sampler not in _LEADING and training.config.get("timestep_spacing") == "leading":
            options = {**options, "timestep_spacing": "linspace"}
        return kind.from_config(training.config, **options)
    # The samplers rebuild alpha_bar from betas in single precision: pure noise would become an infinite ratio.
    safe = training.clamp(min=2**-24)
    betas = (1 - safe / torch.cat([safe.new_ones(1), safe[:-1]])).clamp(max=1 - 1e-7).numpy()
    common: dict[str, Any] = {
        "trained_betas": betas,
        "num_train_timesteps": len(training),
        "prediction_type": "epsilon" if sampler == "euler-ancestral" else "sample",  # it takes no x0
        "timestep_spacing": "trailing",
    }
    return kind(**{**common, **options, **_OF_LEVELS.get(sampler, {})})


_SCHEDULERS: dict[SamplerName, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ancestral": ("DDPMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm-solver++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
}
_LEADING: tuple[SamplerName, ...] = ("ddim", "ancestral")
_OF_LEVELS: dict[SamplerName, dict[str, Any]] = {  # where a schedule is given by its levels alone
    "ddim": {"clip_sample": False, "set_alpha_to_one": True},
    "ancestral": {"clip_sample": False, "variance_type": "fixed_small"},
    "dpm-solver++": {"final_sigmas_type": "zero"},
}


def sample(
    estimate: EstimateX0,
    noise: Tensor,
    alphas_cumprod: Tensor,
    num_steps: int,
    sampler: SamplerName = "ddim",
    limit: float = 1.0,
    keys: Sequence[int] = (),
) -> Tensor:
    """x0 (B, ...) from noise (B, ...).

    Args:
        estimate: The network.
        noise: What to start from, standard normal.
        alphas_cumprod: float32 (T,), of training.
        num_steps: 1 to T.
        sampler: `ancestral` and `euler-ancestral` add noise, the others are deterministic.
        limit: x0 lies in [-limit, limit].
        keys: One per item: of the noise that is added.

    Raises:
        ConfigError: There are not so many noise levels.
    """
    num_levels = len(alphas_cumprod)
    if not 1 <= num_steps <= num_levels:
        raise ConfigError(f"{num_steps} sampling steps of {num_levels} noise levels", hint=f"choose 1 to {num_levels}")
    scheduler = build_scheduler(sampler, alphas_cumprod)
    scheduler.set_timesteps(num_steps)

    def denoise(x_t: Tensor, timestep: Tensor) -> Tensor:
        x0 = estimate(x_t, timestep.expand(len(x_t)).to(x_t.device).long()).clamp(-limit, limit)
        if scheduler.config.prediction_type == "sample":
            return x0
        alpha_bar = scheduler.alphas_cumprod[int(timestep)].to(x_t)
        return (x_t - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()

    start = noise * scheduler.init_noise_sigma
    return run_sampler(denoise, scheduler, start, generators=item_generators(keys)).clamp(-limit, limit)


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
