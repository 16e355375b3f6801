"""Numbers and choices as the command line gives them."""

from typing import Any, TypeVar

from gensight.errors import ConfigError

T = TypeVar("T", bound=str)


def numbers(text: str, option: str, count: int | None = None, separator: str = ",") -> Any:
    """The numbers of `1,2,3` as a tuple of floats. Raises ConfigError where they are none, or not `count`."""
    try:
        values = tuple(float(part) for part in text.lower().split(separator))
    except ValueError:
        values = ()
    if not values or (count is not None and len(values) != count):
        wanted = "numbers" if count is None else f"{count} numbers"
        raise ConfigError(f"`{text}` is not {wanted} separated by `{separator}`", where=option)
    return values


def choose(text: str, choices: tuple[T, ...], option: str) -> T:
    """The choice of this name. Raises ConfigError naming all."""
    for choice in choices:
        if choice == text:
            return choice
    raise ConfigError(f"`{text}` is not known", where=option, choices=choices)
