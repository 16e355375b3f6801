"""`gensight guide`: what reaches the verb, and what drags change of it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.files.atomic import write_json
from gensight.guidance.options import usual_settings


@pytest.mark.parametrize(
    ("dragging", "given", "expected"),
    [
        (False, {}, (0.0, 1.0, 1.0)),
        (True, {}, (32.0, 0.5, 0.0)),
        (True, {"carry": 0.0}, (0.0, 1.0, 0.0)),
        (True, {"carry": 9.0, "strength": 0.7, "eta": 0.2}, (9.0, 0.7, 0.2)),
    ],
)
def test_drags_carry_and_start_late_without_noise_unless_set_otherwise(
    dragging: bool, given: dict[str, float], expected: tuple[float, float, float]
) -> None:
    settings = usual_settings("gensight", given, (512, 256), dragging=dragging)
    assert (settings.targets["carry"], settings.sampling.strength, settings.sampling.eta) == expected


def test_options_reach_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unchecked: None) -> None:
    calls: list[tuple[Any, ...]] = []

    def guide(*arguments: Any, **options: Any) -> Path:
        calls.append(arguments)
        write_json(tmp_path / "guide.json", {"scores": []})
        return tmp_path

    monkeypatch.setattr("gensight.verbs.guide.guide", guide)
    texts = ["--drag", "1,2:3,4", "--size", "64x32", "--seeds", "0-2", "--negative", "blurred", "--box", "0,0,8,8",
             "--normalisation", "unit", "--weights", "1,2"]  # fmt: skip
    result = CliRunner().invoke(app, ["guide", "a", "b", "--prompt", "a dog", *texts])

    assert result.exit_code == 0, result.output
    [(runs, out, targets, sampling, steering)] = calls
    assert (runs, out) == ([Path("a"), Path("b")], Path("guided"))
    assert (targets.drags, targets.carry, targets.box, targets.weights) == (("1,2:3,4",), 4.0, (0, 0, 8, 8), (1, 2))
    assert (sampling.prompt, sampling.negative_prompt, sampling.size) == ("a dog", "blurred", (64, 32))
    assert (sampling.seeds, sampling.eta, sampling.strength, sampling.steps) == ((0, 1, 2), 0.0, 0.5, 50)
    assert (steering.normalisation, steering.memory, steering.weight) == ("unit", "normal", 0.02)
    unknown = CliRunner().invoke(app, ["guide", "a", "--sampler", "ddin"])
    assert "did you mean `ddim`" in unknown.stderr


def test_the_published_preset_is_what_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unchecked: None
) -> None:
    calls: list[tuple[Any, ...]] = []

    def guide(*arguments: Any, **options: Any) -> Path:
        calls.append(arguments)
        write_json(tmp_path / "guide.json", {"scores": []})
        return tmp_path

    monkeypatch.setattr("gensight.verbs.guide.guide", guide)
    texts = ["--preset", "published", "--steps", "20", "--source", "a.png", "--drag", "1,2:3,4", "--frames", "4"]
    result = CliRunner().invoke(app, ["guide", "a", *texts])
    assert result.exit_code == 0, result.output
    [(_, _, targets, sampling, steering)] = calls
    assert (targets.carry, targets.compare, targets.inversion, targets.frames) == (0.0, "cells", "current", 4)
    assert (sampling.steps, sampling.guidance_scale, sampling.unguided_scale, sampling.eta) == (20, 3.5, 1.0, 0.0)
    assert (steering.branches, steering.as_published) == ("both", True)
    unknown = CliRunner().invoke(app, ["guide", "a", "--preset", "publisht"])
    assert "did you mean `published`" in unknown.stderr
