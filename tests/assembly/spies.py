"""Whether the values of a recipe arrive: a constructor's arguments, recorded, and other values for every field."""

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import ValidationError

from gensight.config.fields import Section
from gensight.skeletons import Skeleton

Change = tuple[tuple[str, ...], Any]
# Values of fields that name something: keypoints of `coco-17`, colours.
NAMES = {"mirror_pairs": [["left_ear", "right_ear"]], "outline": ["blue", 4]}


@dataclass
class Spy:
    """Records what constructors get, by their own names of arguments.

    Attributes:
        calls: (constructor, argument, value), in order; values as `plain` has them.
    """

    calls: list[tuple[str, str, Any]] = field(default_factory=list)

    def watch(
        self, monkeypatch: pytest.MonkeyPatch, module: types.ModuleType, chosen: Callable[[Any], bool], made: Any = None
    ) -> None:
        """Replaces the `chosen` constructors of a module: they give `made(constructor)`, or what they would have."""
        for name, value in list(vars(module).items()):
            if callable(value) and chosen(value):
                monkeypatch.setattr(module, name, self._recorder(value, made))

    def _recorder(self, constructor: Any, made: Any) -> Callable[..., Any]:
        signature = inspect.signature(constructor)

        def record(*args: Any, **kwargs: Any) -> Any:
            named = dict(signature.bind(*args, **kwargs).arguments)
            for more in (p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD):
                named |= named.pop(more, {})
            self.calls += [(constructor.__name__, name, plain(value)) for name, value in named.items()]
            return constructor(*args, **kwargs) if made is None else made(constructor)

        return record


def plain(value: Any) -> Any:
    """A value that can be compared: sequences as tuples, paths as text, skeletons by name."""
    if isinstance(value, Skeleton):
        return value.name
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    if isinstance(value, dict):
        return tuple((str(key), plain(one)) for key, one in value.items())
    return str(value) if isinstance(value, Path) else value


def changes(section: type[Section], base: dict[str, Any]) -> Iterator[Change]:
    """Each field of a section, nested ones too, with another value than in `base`; without those that allow none."""
    own = section.model_validate(base)
    for name, info in section.model_fields.items():
        if name == "kind":
            continue
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            for path, value in changes(info.annotation, base.get(name, {})):
                yield (name, *path), value
            continue
        given = NAMES.get(name)
        candidates = _candidates(info.annotation, getattr(own, name)) if given is None else iter((given,))
        fitting = (value for value in candidates if _fits(own, name, value))
        yield from (((name,), value) for value in islice(fitting, 1))


def _fits(own: Section, name: str, value: Any) -> bool:
    try:
        changed = type(own).model_validate({**own.model_dump(), name: value})
    except ValidationError:
        return False
    return bool(getattr(changed, name) != getattr(own, name))


def with_change(base: dict[str, Any], change: Change) -> dict[str, Any]:
    """Values of a section with one of them changed."""
    (first, *rest), value = change
    return {**base, first: with_change(base.get(first, {}), (tuple(rest), value)) if rest else value}


def _candidates(annotation: Any, now: Any) -> Iterator[Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _candidates(parts[0], now)
    elif origin is Literal:
        yield from parts
    elif origin in (Union, types.UnionType):
        for part in parts:
            yield from _candidates(part, None if part is not tuple and not isinstance(now, _plain_type(part)) else now)
    elif origin is tuple:
        yield from _tuples(parts, now)
    elif origin is dict:
        yield from ({key: value} for key in _candidates(parts[0], None) for value in _candidates(parts[1], None))
    elif annotation is bool:
        yield from (True, False)
    elif annotation is int:
        yield from (now + 1, max(now - 1, 0), 2 * now) if isinstance(now, int) else (4, 24)
    elif annotation is float:
        yield from (now / 2, 2 * now, now + 0.25) if isinstance(now, float) else (0.5, 5.0)
    elif annotation is str:
        yield "other"
    elif annotation is Path:
        yield "/another/place"
    elif annotation is types.NoneType:
        yield None


def _plain_type(annotation: Any) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain_type(get_args(annotation)[0])
    return origin if isinstance(origin, type) else annotation if isinstance(annotation, type) else object


def _tuples(parts: tuple[Any, ...], now: Any) -> Iterator[Any]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        for value in _candidates(parts[0], now[0] if now else None):
            yield [*(now or ())[1:], value]
            yield [value, value]
        return
    held = now if now is not None else (None,) * len(parts)
    options = [list(_candidates(part, one)) for part, one in zip(parts, held, strict=True)]
    yield from ([values[0] for values in options], [values[-1] for values in options])
