"""Numbers and choices as the command line gives them."""

from typing import Any, TypeVar, cast

from gensight.errors import ConfigError, check_choice
from gensight.samples import Size

T = TypeVar("T", bound=str)


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


def drag_settings(
    dragging: bool, size: Size, carry: float | None = None, strength: float | None = None, eta: float | None = None
) -> tuple[float, float, float]:
    """What images are sampled with, each as given or (None) as is usual.

    Args:
        dragging: Whether there are drags.
        size: (height, width) of the image in pixels.
        carry: Usually an eighth of the shorter side for drags.
        strength: Usually 0.5 for drags that carry, else 1.
        eta: Usually 0 for drags, else 1.

    Returns:
        (radius of the latents that a drag copies along, share of the steps that are run, noise of DDIM's steps).
    """
    if carry is None:
        carry = min(size) / 8 if dragging else 0.0
    if strength is None:
        strength = 0.5 if dragging and carry else 1.0
    return carry, strength, float(not dragging) if eta is None else eta
