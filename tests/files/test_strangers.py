"""YAML of strangers: what `yaml.safe_load` gives, unless it would become huge or is nested deeply."""

from itertools import pairwise

import msgspec
import pytest
import yaml

from gensight.files.strangers import decode_json, load_yaml


@pytest.mark.parametrize(
    "text",
    ["", "a: 1\nb: [x, y]\n", "a: &one [x, y]\nb: *one\nc: *one\n", "- 2020-01-01\n- null\n", "&a [1, {b: 2}]",
     "base: &b {x: 1}\nother: {<<: *b, y: 2}\n"],
)  # fmt: skip
def test_plain_files_are_read_as_ever(text):
    assert load_yaml(text) == yaml.safe_load(text)


def _laughs(levels):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghijklmnop"
    for before, name in pairwise(names[: levels + 1]):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_laughs(9), "too many values"),
        (_laughs(4), "too many values"),
        (_laughs(9).replace("[*", "{k: [*").replace("]", "]}").replace("x]}", "x]"), "too many values"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: " + "{b: " * 3000 + "}" * 3000, "nested too deeply"),
        ("- " * 3000 + "x", "nested too deeply"),
        ("a: &a [*a]", "a part of"),
        ("a: [", "expected"),
    ],
    ids=["laughs", "five levels", "mappings", "brackets", "braces", "dashes", "itself", "cut"],
)
def test_what_would_become_huge_is_refused(text, message):
    with pytest.raises(yaml.YAMLError, match=message):
        load_yaml(text)


def test_few_aliases_are_fine():
    assert len(load_yaml(_laughs(3))["d"]) == 10


def test_deep_json_is_refused_as_all_that_is_wrong():
    class Plain(msgspec.Struct):
        number: int = 0

    assert decode_json(b'{"number": 3, "more": [[1]]}', Plain).number == 3
    for depth in (3000, 100_000):
        with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
            decode_json(b'{"more": ' + b"[" * depth + b"]" * depth + b"}", Plain)
