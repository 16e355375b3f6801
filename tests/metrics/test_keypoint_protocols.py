from typing import get_args

import pytest

from gensight.config import protocols
from gensight.errors import ConfigError
from gensight.metrics.keypoint_protocols import PROTOCOLS, keypoint_metric
from gensight.skeletons import COCO_17, OPENPOSE_18, Skeleton


def names(protocol, skeleton=COCO_17):
    return [result.protocol for result in keypoint_metric(protocol, skeleton).compute()]


def test_every_protocol_is_built_under_its_own_name():
    found = [name for protocol in PROTOCOLS for name in names(protocol)]
    assert found == [
        "pck-box@0.05", "pck-box@0.10", "pck-box@0.20", "pck-torso@0.05", "pck-torso@0.10", "pck-torso@0.20",
        "pckh@0.50", "readout-guidance-2024@0.05", "readout-guidance-2024@0.10", "readout-guidance-2024@0.20",
        "coco-oks", "mean-px", "rmse-px", "median-px", "bbc-6px",
    ]  # fmt: skip
    assert [name for protocol in found for name in names(protocol, OPENPOSE_18)] == found
    assert names("pck-box@.025") == ["pck-box@0.025"]


def test_recipes_can_name_every_protocol():
    assert set(PROTOCOLS) <= set(get_args(protocols.Protocol))


def test_unknown_protocols_are_refused():
    with pytest.raises(ConfigError) as error:
        keypoint_metric("pck-bx", COCO_17)
    assert str(error.value) == (
        "no keypoint protocol is called `pck-bx`\n"
        "  where: evaluation.protocols\n"
        "  valid: pck-box@0.10, pck-torso@0.10, pckh@0.10, readout-guidance-2024@0.10, coco-oks, mean-px, rmse-px, "
        "median-px, bbc-6px\n"
        "  next:  did you mean `pck-box`?"
    )
    for wrong in ("pck-box@", "pck-box@x", "pck-box@-1", "pck-box@nan"):
        with pytest.raises(ConfigError, match="needs a positive number after the @"):
            keypoint_metric(wrong, COCO_17)
    with pytest.raises(ConfigError, match=r"no keypoint protocol is called `mean-px@0\.1`"):
        keypoint_metric("mean-px@0.1", COCO_17)
    with pytest.raises(ConfigError, match="nobody measured for `mouse`"):
        keypoint_metric("coco-oks", Skeleton("mouse", ("snout", "tail")))
