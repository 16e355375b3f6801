"""A config as YAML text with a comment over each key: what it means, and why it has its value."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from gensight.config.fields import Section

WIDTH = 120


def commented_yaml(config: Section, notes: Mapping[str, str] | None = None, everything: bool = False) -> str:
    """YAML text of a config, every key under its description.

    Args:
        config: What to write.
        notes: Dotted key -> why it has its value; added to its description.
        everything: Whether to write keys at their defaults too; else only those that differ or have a note.

    Returns:
        Text that `load_recipe` reads back to an equal config.
    """
    return "\n".join(_lines(config, "", dict(notes or {}), everything)) + "\n"


def _lines(section: Section, prefix: str, notes: dict[str, str], everything: bool) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, info in type(section).model_fields.items():
        key, value = f"{prefix}{name}", getattr(section, name)
        noted = any(note == key or note.startswith(f"{key}.") for note in notes)
        if not (everything or noted or name in ("kind", "verb") or value != info.get_default()):
            continue
        explanation = (type(section).__doc__ if name == "kind" else info.description) or ""
        text = f"{explanation} {notes.get(key, '')}".strip()
        if isinstance(value, Section):
            yield from ([""] if not prefix else [])
            yield from _comment(text, indent)
            yield f"{indent}{name}:"
            yield from _lines(value, f"{key}.", notes, everything)
        else:
            yield from _comment(text, indent)
            yield f"{indent}{name}: {_plain(section, name)}"


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _plain(section: Section, name: str) -> str:
    """One field's value as one line of YAML."""
    value: Any = section.model_dump(mode="json", include={name})[name]
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n...\n").rstrip("\n")
