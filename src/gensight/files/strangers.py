"""YAML and JSON from strangers, under limits: a small file may not become a huge value, nor a deep one."""

from typing import Any, TypeVar

import msgspec
import yaml

DEEPEST = 50
MOST_VALUES = 100_000  # with aliases written out
T = TypeVar("T")


class LimitError(yaml.composer.ComposerError):
    """YAML that is well formed, and deeper or larger than is read from strangers."""


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.counts: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark
        if self.depth > DEEPEST:
            raise LimitError(None, None, "nested too deeply", mark)
        self.depth += 1
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if is_alias and id(node) not in self.counts:
            raise LimitError(None, None, "an alias stands for what it is a part of", mark)
        if not is_alias:
            below = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))] \
                if isinstance(node, yaml.CollectionNode) else []  # fmt: skip
            self.counts[id(node)] = 1 + sum(self.counts.get(id(part), MOST_VALUES) for part in below)
        if self.counts[id(node)] > MOST_VALUES:
            raise LimitError(None, None, "its aliases stand for too many values", mark)
        return node


def load_yaml(text: str) -> Any:
    """The value of one YAML document, as `yaml.safe_load` gives it.

    Raises:
        yaml.YAMLError: No YAML; a LimitError where it is nested more than 50 deep, or has more than 100,000 values once
            its aliases are written out.
        ValueError: A value that looks like a date or number but isn't one.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def decode_json(data: Any, kind: type[T], strict: bool = True) -> T:
    """`msgspec.json.decode`, with msgspec.DecodeError for what is nested too deeply as for all that is wrong."""
    try:
        return msgspec.json.decode(data, type=kind, strict=strict)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
