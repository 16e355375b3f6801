"""`section.key=value` on the command line: how it changes a recipe's values."""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from gensight.config.fields import Section
from gensight.config.loading.problems import Path, Problem
from gensight.config.loading.yaml_text import parse
from gensight.config.sections import kinds, members
from gensight.errors import ConfigError


@dataclass(frozen=True)
class Override:
    """One `section.key=value`."""

    path: tuple[str, ...]
    value: Any
    text: str


def text_override(key: str, value: object) -> str:
    """An override whose value is text, whatever characters it has."""
    return f"{key}={json.dumps(str(value))}"


def value_overrides(values: Mapping[str, Any]) -> list[str]:
    """Dotted keys and their values as overrides: JSON is the YAML that means the same for every value."""
    return [f"{key}={json.dumps(value, default=str)}" for key, value in values.items()]


def parse_overrides(texts: Iterable[str]) -> tuple[list[Override], list[Problem]]:
    """Reads overrides; values are YAML, so `[240, 320]`, `null`, `true` and `0.5` mean what they mean in a recipe."""
    overrides, problems = [], []
    for text in texts:
        key, equals, value = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path):
            problems.append(Problem((), f"`{text}` is not an override", hint="write section.key=value, without spaces"))
            continue
        try:
            overrides.append(Override(path, parse(value, f"override `{text}`").value, text))
        except ConfigError as error:
            hint = "put the value in quotes, inside the shell's own: 'section.key=\"value\"'"
            problems.append(Problem(path, error.what, hint=hint, where=f"override `{text}`"))
    return overrides, problems


def apply_overrides(
    values: dict[str, Any], overrides: Iterable[Override], root: type[Section]
) -> tuple[dict[str, Any], list[Problem]]:
    """A copy of `values` with the overrides in it, and what could not be put there.

    Another `kind` replaces its whole node: nothing of the former kind survives. Kinds are set first, outermost first,
    so that the order on the command line doesn't matter to them; of the rest, later ones win.
    """
    values = copy.deepcopy(values)
    problems = []
    ordered = sorted(overrides, key=lambda one: len(one.path) if one.path[-1] == "kind" else 1_000)
    for override in ordered:
        problem = _set(values, override, root)
        if problem:
            problems.append(problem)
    return values, problems


def _set(values: dict[str, Any], override: Override, root: type[Section]) -> Problem | None:
    node, around = values, _chosen([root], values)
    for depth, key in enumerate(override.path[:-1], start=1):
        info = around.model_fields.get(key) if around else None
        if node.get(key) is None:
            node[key] = _seed(info)
        node = node[key]
        if not isinstance(node, dict):
            what = "is a value, not a section with keys of its own"
            return Problem(override.path[:depth], what, where=f"override `{override.text}`")
        around = _chosen(members(info.annotation), node) if info else None
    key = override.path[-1]
    if key == "kind" and node.get("kind") != override.value:
        node.clear()
    node[key] = override.value
    return None


def _seed(info: FieldInfo | None) -> dict[str, Any]:
    """The values of a section that the recipe does not have: its default's kind, where it has one."""
    kind = getattr(info.default, "kind", None) if info else None
    return {} if kind is None else {"kind": kind}


def _chosen(allowed: Sequence[type[Section]], node: dict[str, Any]) -> type[Section] | None:
    if len(allowed) == 1:
        return allowed[0]
    return kinds(allowed).get(str(node.get("kind")))


def source_of(path: Path, in_file: bool, overrides: Iterable[Override]) -> str | None:
    """Which override a problem at `path` comes from, or None if it comes from the file.

    Args:
        path: The key with the problem.
        in_file: Whether the recipe file has that key.
        overrides: As given, in order.
    """
    for override in reversed(list(overrides)):
        node = override.path[:-1] if override.path[-1] == "kind" else override.path
        inside = path[: len(node)] == node
        # An unknown section is reported at its own key, above the key that the override names.
        above = not in_file and bool(path) and override.path[: len(path)] == path
        if inside or above:
            return f"override `{override.text}`"
    return None
