import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.metrics.bootstrap import paired_difference
from gensight.metrics.keypoint_tables import PROTOCOLS, TableRow, build_metrics, format_table
from gensight.skeletons import COCO_17, OPENPOSE_18, Skeleton
from tests.contracts.metric import score
from tests.metrics.subjects import SKELETON, answers, scene


def test_every_protocol_is_built_under_its_own_name():
    names = [metric.protocol for metric in build_metrics(PROTOCOLS, COCO_17)]
    assert names == [
        "coco-oks", "pck-box@0.05", "pck-box@0.10", "pck-box@0.20", "pck-torso@0.05", "pck-torso@0.10",
        "pck-torso@0.20", "pckh@0.50", "readout-guidance-2024@0.05", "readout-guidance-2024@0.10",
        "readout-guidance-2024@0.20", "mean-px", "rmse-px", "median-px", "bbc-6px",
    ]  # fmt: skip
    assert [metric.protocol for metric in build_metrics(names, OPENPOSE_18)] == names
    assert [metric.protocol for metric in build_metrics(["pck-box@.025"], COCO_17)] == ["pck-box@0.025"]


def test_unknown_protocols_are_refused():
    with pytest.raises(ConfigError) as error:
        build_metrics(["pck-bx"], COCO_17)
    assert str(error.value) == (
        "no keypoint protocol is called `pck-bx`\n"
        "  where: evaluation.protocols\n"
        "  valid: coco-oks, pck-box@0.10, pck-torso@0.10, pckh@0.10, readout-guidance-2024@0.10, mean-px, rmse-px, "
        "median-px, bbc-6px\n"
        "  next:  did you mean `pck-box`?"
    )
    for wrong in ("pck-box@", "pck-box@x", "pck-box@-1", "pck-box@nan"):
        with pytest.raises(ConfigError, match="needs a positive number after the @"):
            build_metrics([wrong], COCO_17)
    with pytest.raises(ConfigError, match=r"no keypoint protocol is called `mean-px@0\.1`"):
        build_metrics(["mean-px@0.1"], COCO_17)
    with pytest.raises(ConfigError, match="nobody measured for `mouse`"):
        build_metrics(["coco-oks"], Skeleton("mouse", ("snout", "tail")))


def test_table_is_aligned_and_compares():
    (pck,), (rival,) = (build_metrics(["pck-box@0.1"], SKELETON) for _ in range(2))
    model, baseline = score(pck, answers("perfect", scene())), score(rival, answers("worst", scene()))
    text = format_table(
        [TableRow("readout", model), TableRow("mean position", baseline, paired_difference(model, baseline))]
    )
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "protocol"
    assert lines[2] == "pck-box@0.10  readout        100.0 %  [100.0, 100.0]       5"
    assert lines[3] == (
        "pck-box@0.10  mean position    0.0 %      [0.0, 0.0]       5          +100.0 %  [+100.0, +100.0]    100.0 %"
    )
    assert lines[-1] == "pck-box@0.10, mean position: 21 labelled keypoints had no predicted point"


def test_table_without_differences_or_scores():
    (metric,) = build_metrics(["mean-px"], SKELETON)
    text = format_table([TableRow("readout", metric.compute())])
    assert text.splitlines()[-1] == "mean-px   readout      -         [-, -]       0"
    assert "model minus this" not in text


def test_protocols_are_set_apart():
    results = [score(m, answers("mixed", scene())) for m in build_metrics(["mean-px", "median-px"], SKELETON)]
    lines = format_table([TableRow("readout", result) for result in results]).splitlines()
    assert lines[3] == ""
    assert lines[4].startswith("median-px")
    assert np.isfinite(results[0].value)
