"""Whether a run can be sampled with a request's settings."""

from collections.abc import Iterable

from torch import Tensor

from gensight.diffusion.sampling import Sampling
from gensight.errors import ConfigError
from gensight.methods.base import Method


def check_sampling(method: Method, sampling: Sampling | None) -> None:
    """Raises ConfigError where a method has no such choice."""
    if sampling is None or not sampling.chosen:
        return
    own = method.sampling
    if own is None:
        named = _options(sampling.chosen)
        hint = "leave it out, or use a run of method.way=many-step"
        raise ConfigError(f"this run is one-step: it has no noise and no {named}", where=named, hint=hint)
    unknown = [name for name in sampling.chosen if name != "seed" and name not in own.chosen]
    if unknown:
        named = _options(unknown)
        raise ConfigError(f"this run is sampled without {named}", where=named, hint="leave it out")
    _check_steps(method, sampling.steps)


def _check_steps(method: Method, steps: int | None) -> None:
    levels = getattr(method, "alphas_cumprod", None)  # of every method that samples
    if steps is not None and isinstance(levels, Tensor) and steps > len(levels):
        hint = f"choose 1 to {len(levels)}"
        raise ConfigError(f"{steps} steps of {len(levels)} noise levels", where="--steps", hint=hint)


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)
