"""Which colours an instruction names for its answers, and which it does not."""

import pytest

from gensight.instructions.colours import named_colours
from gensight.instructions.grammar import COLOURS, filled, rephrased, templates
from gensight.instructions.tasks import infer_task


@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("show purple if there is a cat", ("purple", "black")),
        ("Show red if there is an orange, otherwise show green.", ("red", "green")),
        ("If there is an orange in the figure, show it as blue.", ("blue", "black")),
        ("show DarkRed if the picture contains a dog, otherwise show AliceBlue", ("darkred", "aliceblue")),
        ("segment the orange", None),
        ("is there a white cat?", None),
    ],
)
def test_named_colours(text, colours):
    assert named_colours(text) == colours


def test_all_templates_name_their_colours_and_their_task():
    for template in templates("colour"):
        text = filled(template, ("orange",), ("purple", "green"))
        assert named_colours(text) == ("purple", "green" if "{no}" in template else "black"), text
        assert infer_task(text).task == "colour"


def test_both_colours_are_named_unless_no_is_black():
    for seed in range(40):
        yes, no = COLOURS[seed % 5], COLOURS[6 + seed % 6]
        found = rephrased("colour", ("dog",), seed, colours=(yes, no))
        assert named_colours(found.text) == (yes, no), found.text
        assert named_colours(rephrased("colour", ("dog",), seed, colours=(no, "black")).text) == (no, "black")
