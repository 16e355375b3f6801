"""Classes that an instruction names."""

import pytest

from gensight.errors import ConfigError
from gensight.instructions.classes import in_vocabulary_order, named_classes

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
        ("label every pixel", NAMES),
        ("mark every pixel that belongs to a dog", ("dog",)),
        ("keep the dog and blacken everything else", ("dog",)),
    ],
)
def test_named_classes(text, expected):
    assert named_classes(text, NAMES) == expected


def test_typed_classes_come_in_the_order_of_their_colours():
    assert in_vocabulary_order(("person", "bus"), NAMES) == (("person", "bus"), "")
    ordered, note = in_vocabulary_order(("bus", "dog"), NAMES)
    assert ordered == ("dog", "bus")
    assert note.startswith("in the order of the vocabulary")
    assert in_vocabulary_order(("sofa", "dog"), NAMES) == (
        ("sofa", "dog"),
        "as typed: sofa not in the run's vocabulary",
    )


@pytest.mark.parametrize(("names", "message"), [(("dog", " "), "an empty name"), (("dog", "dog"), "named twice")])
def test_typed_classes_are_names_each_once(names, message):
    with pytest.raises(ConfigError, match=message):
        in_vocabulary_order(names, NAMES)
