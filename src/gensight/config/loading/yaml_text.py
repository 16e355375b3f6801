"""YAML text to plain values: safe, without duplicate keys or aliases, with the line of every key."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from gensight.errors import ConfigError

DEEPEST = 50


@dataclass(frozen=True)
class Document:
    """Parsed YAML.

    Attributes:
        value: None, scalars, lists and dicts.
        lines: Path of keys and list indices -> line number, counted from 1.
    """

    value: Any
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not used in recipes", mark)
        if self.depth > DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse(text: str, where: str) -> Document:
    """Parses one YAML document.

    Args:
        text: The document.
        where: What errors call it: a file's path, or an override.

    Raises:
        ConfigError: On a syntax error (with line and column), a duplicate key or an alias.
    """
    loader = _open(text, where)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        lines: dict[tuple[str | int, ...], int] = {}
        _walk(node, (), lines)
        return Document(loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, where) from None
    except ValueError as error:  # a scalar that looks like a date or number but isn't one
        raise ConfigError(f"a value cannot be read: {error}", where=where, hint="put it in quotes") from None
    finally:
        loader.dispose()


def _open(text: str, where: str) -> _Loader:
    try:
        return _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"a character that YAML does not allow ({error.reason})", where=f"{where}, line {line}"
        ) from None


def _walk(node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    """Notes the line of every key, and refuses keys that stand twice in one mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            lines[(*path, index)] = child.start_mark.line + 1
            _walk(child, (*path, index), lines)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                problem = f"`{key.value}` is not a key: keys are words"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            name = str(key.value)
            if name in seen:
                first = lines[(*path, name)]
                problem = f"the key `{name}` stands here a second time; first in line {first}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _walk(child, (*path, name), lines)


def _syntax_error(error: yaml.MarkedYAMLError, where: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
    context = f" ({error.context})" if error.context else ""
    return ConfigError(f"not valid YAML: {error.problem or 'unreadable'}{context}", where=place)
