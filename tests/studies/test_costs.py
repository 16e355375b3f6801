"""Costs: each part of a training is measured as it runs."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gensight.assembly.backbones import build_backbone
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.methods.readout.method import Readout
from gensight.prediction.scoring.validation import Validator
from gensight.studies import costs
from gensight.studies.costs import Costing, Costs
from tests.verbs.small_recipe import small_recipe


def measured(folder: Path, backbone: str, scores: bool = True) -> tuple[Costing, Costs]:
    experiment = Experiment.open(small_recipe(folder, backbone))
    network = build_backbone(experiment.config)
    method = build_method(experiment.config, network, experiment.encoding)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    costing = Costing(experiment, method, network, "cpu", scores)
    found = costing.measure(0.0)
    moved = [name for name, value in method.named_parameters() if not torch.equal(value, before[name])]
    assert moved == []
    return costing, found


@pytest.mark.parametrize("backbone", ["scratch", "diffusers"])
def test_all_parts_take_time(tmp_path: Path, backbone: str) -> None:
    _, found = measured(tmp_path, backbone)
    assert (found.view is None) == (backbone == "scratch")
    assert min(found.step, found.checked, found.scored, found.kept) > 0
    assert [*found.baselines] == ["mean-position"]
    assert not list(Path.cwd().glob("cache"))


def test_steps_alone_need_no_other_part(tmp_path: Path) -> None:
    costing, found = measured(tmp_path, "scratch", scores=False)
    assert (costing.validation, costing.test, found.scored, found.checked) == (None, None, 0, 0)
    assert found.step > 0


def test_a_slow_step_and_a_slow_validation_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(function: Any, seconds: float) -> Any:
        return lambda *args, **options: (time.sleep(seconds), function(*args, **options))[1]

    monkeypatch.setattr(Readout, "losses", slower(Readout.losses, 0.3))
    monkeypatch.setattr(Validator, "__call__", slower(Validator.__call__, 0.6))
    monkeypatch.setattr(costs, "MOST_SECONDS", 0.0)
    costing, found = measured(tmp_path, "scratch")
    assert found.step >= 0.3
    assert costing.validation is not None
    assert found.checked * len(costing.validation) >= 0.6
