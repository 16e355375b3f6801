"""Numbers and choices as the command line gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, cast, get_args

from gensight.errors import ConfigError, check_choice
from gensight.guidance.sampling import ImageSampling
from gensight.guidance.steering import Steering
from gensight.samples import Size

T = TypeVar("T", bound=str)
Preset = Literal["gensight", "published"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True)
class Settings:
    """The settings of a guided sampling.

    Attributes:
        sampling: How images are sampled.
        steering: How they are steered.
        targets: What `GuidanceTargets` takes of them: `carry`, `compare`, `inversion`.
    """

    sampling: ImageSampling
    steering: Steering
    targets: dict[str, Any]


def numbers(text: str, option: str, count: int | None = None, separator: str = ",") -> Any:
    """The numbers of `1,2,3` as a tuple of floats. Raises ConfigError for anything else, or not `count` of them."""
    try:
        values = tuple(float(part) for part in text.lower().split(separator))
    except ValueError:
        values = ()
    if not values or (count is not None and len(values) != count):
        expected = "numbers" if count is None else f"{count} numbers"
        raise ConfigError(f"`{text}` is not {expected} separated by `{separator}`", where=option)
    return values


def choose(text: str, choices: tuple[T, ...], option: str) -> T:
    """The choice of this name. Raises ConfigError naming all."""
    check_choice(text, choices, option)
    return cast(T, text)


def seed_list(text: str) -> tuple[int, ...]:
    """The seeds of `0,1,2` or `0-49`, each once, in order. Raises ConfigError for anything else."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"`{part}` is no seed", where="--seeds", hint="write 0,1,2 or 0-49")
        seeds += range(int(first), int(last if dash else first) + 1)
    if not seeds:
        raise ConfigError(f"`{text}` names no seed", where="--seeds", hint="write the smaller one first: 0-49")
    return tuple(dict.fromkeys(seeds))


def run_weights(text: str) -> tuple[float | tuple[float, ...], ...]:
    """One weight for each run of `W,W`, or one for each of its steps: `W:W:W,W`. Raises ConfigError."""
    runs = [numbers(part, "--weights", separator=":") for part in text.split(",")]
    return tuple(weights[0] if len(weights) == 1 else weights for weights in runs)


def usual_settings(
    preset: Preset, given: Mapping[str, Any], size: Size, *, dragging: bool, real: bool = False
) -> Settings:
    """Every setting of a guided sampling: as given or, where that is None, as is usual under a preset.

    Args:
        preset: `gensight`, what does best on the packaged backbone; `published`, what Luo et al. (2024) released.
        given: By name: fields of `ImageSampling`, `Steering` and `GuidanceTargets`.
        size: (height, width) of the image in pixels.
        dragging: Whether there are drags.
        real: Whether they are in a real image.
    """
    usual: dict[str, Any] = {"steps": 50, "guidance_scale": 7.5, "unguided_scale": None, "eta": float(not dragging)}
    usual |= {"carry": min(size) / 8 if dragging else 0.0, "branches": "prompted", "as_published": False}
    usual |= {"inversion": "current", "compare": "means"}
    if preset == "published":
        usual |= {"steps": 100, "carry": 0.0, "branches": "both", "as_published": True}
        usual["compare"] = "cells"
        if real:
            usual |= {"guidance_scale": 3.5, "unguided_scale": 1.0}
    chosen = usual | {name: value for name, value in given.items() if value is not None} | {"size": size}
    if given.get("strength") is None:
        chosen["strength"] = 0.5 if dragging and chosen["carry"] else 1.0
    of_sampling, of_steering = (
        {one.name: chosen.pop(one.name) for one in fields(kind) if one.name in chosen}
        for kind in (ImageSampling, Steering)
    )
    return Settings(ImageSampling(**of_sampling), Steering(**of_steering), chosen)
