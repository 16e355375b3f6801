"""`gensight ask`: what reaches the verb."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.diffusion.sampling import Sampling
from gensight.prediction.jobs import PredictionOutcome


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, unchecked: None) -> list[tuple[Any, ...]]:
    """Arguments and options."""
    found: list[tuple[Any, ...]] = []

    def ask(*args: Any, **options: Any) -> Any:
        found.append((args, options))
        return types.SimpleNamespace(outcome=PredictionOutcome(Path("there"), 1, 0, {}, 0), note="task: detect")

    module = types.ModuleType("gensight.verbs.ask")
    module.ask, module.Sampling = ask, Sampling  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gensight.verbs.ask", module)
    return found


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["ask", "r", "a.png", *arguments])


def test_an_instruction(calls: list[tuple[Any, ...]]) -> None:
    assert run("find the dog").stdout == "task: detect\npredictions: there\n"
    options = {"task": None, "classes": (), "sampling": None, "device": "auto", "draw": True}
    assert calls == [((Path("r"), Path("a.png"), "find the dog", None), options)]


def test_classes_and_sampling(calls: list[tuple[Any, ...]]) -> None:
    sampling = ("--sampler", "ddim", "--steps", "4", "--text-guidance", "2", "--image-guidance", "1.5")
    assert run("find the dog", *sampling, "--num-samples", "3", "--seed", "0", "--classes", "dog, cat").exit_code == 0
    assert run("find the dog", "--classes", "cat,").exit_code == 0
    assert [options["classes"] for _, options in calls] == [("dog", "cat"), ("cat", "")]
    assert [options["sampling"] for _, options in calls] == [Sampling("ddim", 4, 2.0, 1.5, 3, 0), None]


def test_what_is_missing_or_unknown(calls: list[tuple[Any, ...]]) -> None:
    assert run().exit_code == 2
    unknown = run("find the dog", "--sampler", "eular")
    assert unknown.exit_code == 2
    assert "did you mean `euler`" in unknown.stderr
    assert not calls
