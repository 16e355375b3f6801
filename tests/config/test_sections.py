"""Facts of the kinds: complete, consistent, and stated once."""

from typing import Any, get_args

import pytest

from gensight.config.data import Data
from gensight.config.encodings import JointConfig, Readable, Single
from gensight.config.protocols import Baseline, Protocol
from gensight.config.schema import Method, ReadoutConfig
from gensight.config.sections import EncodingFacts, kind_of, kinds_of, members
from gensight.readers.puppets import TRUTHS

ENCODINGS = members(Single)


@pytest.mark.parametrize("section", ENCODINGS, ids=kind_of)
def test_usual_scores_are_among_the_possible_ones(section: Any) -> None:
    facts = section().facts
    assert set(facts.usual_protocols) <= set(facts.protocols)
    assert set(facts.usual_baselines) <= set(facts.baselines)
    assert set(facts.truths) <= set(TRUTHS)
    assert facts.finds


def test_every_protocol_and_baseline_belongs_to_an_encoding() -> None:
    facts = [section.kind_facts for section in ENCODINGS]
    assert {name for one in facts for name in one.protocols} == set(get_args(Protocol))
    assert {name for one in facts for name in one.baselines} == set(get_args(Baseline))


def test_every_encoding_has_a_method_and_every_method_an_encoding() -> None:
    taken = {kind for method in members(Method) for kind in method.encodings}
    assert taken == {*kinds_of(Single), "joint"}
    assert set(ReadoutConfig.encodings) == {*kinds_of(Readable), "joint"}


@pytest.mark.parametrize("section", members(Readable), ids=kind_of)
def test_what_a_readout_takes_has_a_grid(section: Any) -> None:
    assert section().grid_stride == section().stride


def test_facts_that_depend_on_a_field() -> None:
    everybody, one = (section_of("pose-image", instances=chosen).facts for chosen in ("all", "subject"))
    assert (everybody.protocols, one.usual_protocols) == (("coco-oks",), ("pck-box", "mean-px"))
    assert "edges" in section_of("painted", tasks=["edges"]).facts.truths
    assert "edges" not in section_of("painted", tasks=["depth"]).facts.truths
    assert section_of("landmark-pairs", num_landmarks=7).skeleton_name == "landmarks-7"
    assert set(section_of("painted", tasks=["detect"]).missing_vocabulary()) == {"categories"}


def test_a_joint_encoding_has_the_facts_of_its_parts() -> None:
    joint = JointConfig.model_validate({"parts": {"a": {"kind": "heatmap"}, "b": {"kind": "depth-map"}}})
    assert joint.facts.finds == "keypoints and depth"
    assert joint.facts.truths == ("keypoints", "boxes", "depth")
    assert joint.facts.pose_teachers
    assert EncodingFacts.of_parts([joint.facts]) == joint.facts


def test_kinds_are_distinct() -> None:
    for union in (Single, Method, Data):
        assert len(set(kinds_of(union))) == len(members(union))


def section_of(kind: str, **values: Any) -> Any:
    (section,) = [one for one in ENCODINGS if kind_of(one) == kind]
    return section.model_validate(values)
