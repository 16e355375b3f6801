"""Numbers and choices as the command line gives them."""

from typing import Any, TypeVar

from gensight.errors import ConfigError

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
    for choice in choices:
        if choice == text:
            return choice
    raise ConfigError(f"`{text}` is not known", where=option, choices=choices)


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
