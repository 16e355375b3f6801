"""Protocols -> metrics: the metrics of every encoding's protocols can be built."""

from typing import Any

import pytest

from gensight.assembly.metrics import build_metrics
from gensight.config.encodings import Single
from gensight.config.schema import EvaluationConfig
from gensight.config.sections import kind_of, members
from gensight.skeletons import COCO_17
from tests.assembly.test_configs import BASES, recipe_of


@pytest.mark.parametrize("section", members(Single), ids=kind_of)
def test_every_protocol_of_an_encoding_is_built_under_its_name(section: Any) -> None:
    kind = kind_of(section)
    recipe = recipe_of(kind, BASES.get(kind, [{}])[0], "encoding")
    for protocol in section.kind_facts.protocols:
        evaluation = EvaluationConfig(protocols=(protocol,))
        built = build_metrics(recipe.model_copy(update={"evaluation": evaluation}), COCO_17)
        assert built
        family = "classification" if protocol == "top-1" else protocol  # one of the scores of labels
        assert all(metric.protocol.startswith(family) for metric in built), protocol
