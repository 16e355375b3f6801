"""Data types that print themselves in one line: arrays by their shape, long tuples by their length, no empty fields."""

from dataclasses import fields
from typing import Any

MOST_NUMBERS = 8


class OneLine:
    """Base of dataclasses made with `repr=False`."""

    def __repr__(self) -> str:
        shown = []
        for field in fields(self):  # type: ignore[arg-type]  # of subclasses, which are dataclasses
            value = getattr(self, field.name)
            if not (value is None or callable(value) or (isinstance(value, tuple | dict | str | list) and not value)):
                shown.append(f"{field.name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        small = len(value.shape) == 1 and value.shape[0] <= MOST_NUMBERS
        return str([round(float(one), 3) for one in value]) if small else f"{value.dtype}{tuple(value.shape)}"
    if isinstance(value, dict):
        return f"{{{', '.join(map(str, list(value)[:MOST_NUMBERS]))}{', ...' if len(value) > MOST_NUMBERS else ''}}}"
    if isinstance(value, tuple | list) and len(value) > 2:
        return f"{len(value)} x {type(value[0]).__name__}"
    if isinstance(value, tuple | list):
        return f"({', '.join(_short(one) for one in value)})"
    name = getattr(value, "name", None)
    return str(name) if isinstance(name, str) and type(value).__name__ == "Skeleton" else repr(value)
