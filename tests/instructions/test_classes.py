"""Classes that an instruction names."""

import pytest

from gensight.instructions.classes import named_classes

NAMES = ("person", "dog", "bear", "polar bear", "bus")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("segment the dog", ("dog",)),
        ("Find all people and buses!", ("person", "bus")),
        ("where is the polar bear?", ("polar bear",)),
        ("the bear and the polar bears", ("bear", "polar bear")),
        ("segment the hotdog", ()),
        ("segment everything", NAMES),
        ("puppies", ("dog",)),
    ],
)
def test_named_classes(text, expected):
    assert named_classes(text, NAMES, {"dog": ("puppy",)}) == expected
