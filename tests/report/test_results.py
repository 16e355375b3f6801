import json
from pathlib import Path

import numpy as np
import pytest

from gensight.engine.card import BackboneIdentity
from gensight.errors import RunError
from gensight.report.results import read_run
from tests.report.fake_run import KEYPOINTS, write_fake_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_fake_run(tmp_path / "mouse", num_items=2)


def test_reads_what_was_written(folder: Path) -> None:
    run = read_run(folder)
    assert run.name == "mouse"
    assert [model.model for model in run.metrics.scores] == ["readout", "random-weights", "mean-position", "scratch"]
    assert run.metrics.scores[0].results[1].unit == "%"
    assert len(run.metrics.differences) == 3
    assert run.card is not None
    assert run.card.backbone == BackboneIdentity("tiny", "tiny", "5f0c9a1be2d34c77")
    assert run.predictions is not None
    assert run.predictions.skeleton is not None
    assert tuple(run.predictions.skeleton.keypoints) == KEYPOINTS
    assert run.predictions.items[1].size == (240, 320)


def test_curves_leave_out_empty_and_nan_cells(folder: Path) -> None:
    curves = read_run(folder).curves
    assert len(curves["loss"]) == 239  # 240 rows, the first loss is NaN
    np.testing.assert_array_equal(curves["validation_loss"][:, 0], np.arange(0, 1200, 100))


def test_a_log_cut_in_the_middle_of_a_line_is_read_up_to_there(folder: Path) -> None:
    path = folder / "log" / "metrics.csv"
    path.write_text("step,loss\n1,0.5\n2,0.25\n3,0.")
    np.testing.assert_array_equal(read_run(folder).curves["loss"], [[1, 0.5], [2, 0.25]])
    path.write_text("step,loss\n")
    assert read_run(folder).curves == {}


def test_only_config_and_scores_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "metrics.json").write_text('{"scores": [], "from_a_later_version": 1}')
    run = read_run(tmp_path)
    assert run.name == tmp_path.name
    assert (run.card, run.curves, run.predictions) == (None, {}, None)
    assert run.metrics.split == "test"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "a: [", "not valid YAML"),
        ("config.yaml", "- 1", "a run's configuration is a mapping"),
        ("config.yaml", b"name: \xff", "not UTF-8"),
        ("metrics.json", '{"scores": [', "not valid JSON"),
        ("metrics.json", "[]", "Expected `object`, got `array`"),
        (
            "metrics.json",
            '{"scores": [{"model": "a", "results": [{"protocol": 1}]}]}',
            r"\$\.scores\[0\]\.results\[0\]",
        ),
        ("model/card.json", "", "not valid JSON"),
        ("model/card.json", "[]", "this is no run's card: Expected `object`, got `array`"),
        ("predictions.json", '{"items": [{"sample_key": "a", "size": [0, 3]}]}', r"\$\.items\[0\]\.size"),
        ("log/metrics.csv", "time,loss\n1,2\n", "the log has no column `step`"),
        ("log/metrics.csv", "step,loss\n1,much\n", "`much` is not a number"),
    ],
)
def test_a_broken_file_is_named(folder: Path, name: str, content: str | bytes, message: str) -> None:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RunError, match=message) as caught:
        read_run(folder)
    assert str(folder / name) in str(caught.value.where)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("config.yaml", "not a run folder", "name a folder made by `gensight train`"),
        ("metrics.json", "this run has no scores", "run `gensight evaluate {folder}` first"),
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str, message: str, hint: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RunError, match=message) as caught:
        read_run(folder)
    assert caught.value.where == str(folder / name)
    assert caught.value.hint == hint.format(folder=folder)


def test_nan_written_by_plain_json_is_read(folder: Path) -> None:
    text = (folder / "metrics.json").read_text()
    metrics = json.loads(text)
    metrics["scores"][0]["results"][0]["value"] = float("nan")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    value = read_run(folder).metrics.scores[0].results[0].value
    assert value is not None
    assert np.isnan(value)
