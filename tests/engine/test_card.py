"""A run's card: written and read again, and what is no card is named."""

import json
from typing import Any

import pytest

from gensight.engine.card import BackboneIdentity, Card, Origin, package_versions
from gensight.errors import RunError
from gensight.skeletons import COCO_17

CARD = Card(
    name="mine",
    method="readout",
    backbone=BackboneIdentity("tiny", "tiny", "5f0c"),
    skeleton=COCO_17,
    calibration=(20.0, -2.0),
    threshold=0.4,
    num_parameters_trained=12,
    steps=None,
    best_step=None,
    training_minutes=1.5,
    hardware=None,
    versions=package_versions(),
    imported=Origin("readout-guidance", "head.pt", "ab", "sd", "pose", ("a note",)),
)


def written() -> Any:
    return json.loads(json.dumps(CARD.to_json()))


def test_a_card_is_read_as_it_was_written() -> None:
    assert Card.from_json(written()) == CARD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: [card], "Expected `object`, got `array`"),
        (lambda card: {k: v for k, v in card.items() if k != "backbone"}, "missing required field `backbone`"),
        (lambda card: {**card, "steps": "many"}, r"Expected `int \| null`, got `str` - at `\$.steps`"),
        (lambda card: {**card, "skeleton": {"name": "pair", "keypoints": ["a", "a"]}}, "keypoints of the same name: a"),
        (lambda card: {**card, "format_version": 99}, "format version 99, this gensight reads version 2"),
        (lambda card: {k: v for k, v in card.items() if k != "format_version"}, "format version None"),
    ],
)
def test_what_is_no_card_is_named(change: Any, message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        Card.from_json(change(written()), "runs/mine/model/card.json")
    assert caught.value.where == "runs/mine/model/card.json"
