"""`gensight predict`: what goes with an instruction, and what without."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What reaches the verb."""
    calls: list[dict[str, Any]] = []
    names = ("text", "task", "classes", "sampling")

    def predict(*args: Any, **kwargs: Any) -> Path:
        calls.append(args[2])
        return Path("there")

    module = types.ModuleType("gensight.verbs.predict_instruct")
    module.predict_instruct = predict  # type: ignore[attr-defined]
    module.Question = lambda *values: dict(zip(names, values, strict=True))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gensight.verbs.predict_instruct", module)
    return calls


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["predict", "r", "a.png", *arguments])


def test_a_question(asked: list[dict[str, Any]]) -> None:
    assert run("--instruction", "find the dog", "--sampler", "ddim", "--classes", "dog, cat").exit_code == 0
    assert run("--instruction", "find the dog", "--seed", "0", "--classes", "cat,").exit_code == 0
    assert [one["classes"] for one in asked] == [("dog", "cat"), ("cat", "")]
    assert [(one["sampling"].sampler, one["sampling"].seed) for one in asked] == [("ddim", None), (None, 0)]


@pytest.mark.parametrize(
    "option",
    [("--boxes", "b.json"), ("--detector", "detect"), ("--detector-threshold", "0.5"), ("--smooth", "1"),
     ("--also", "s")],
)  # fmt: skip
def test_what_has_no_meaning_beside_an_instruction(asked: list[dict[str, Any]], option: tuple[str, str]) -> None:
    result = run("--instruction", "find the dog", *option)
    assert result.exit_code == 2
    assert f"{option[0]} goes with runs that take no instruction" in result.stderr
    assert not asked


@pytest.mark.parametrize(
    "option",
    [("--task", "depth"), ("--classes", "a"), ("--sampler", "ddim"), ("--steps", "2"), ("--text-guidance", "2"),
     ("--image-guidance", "2"), ("--num-draws", "2"), ("--seed", "0")],
)  # fmt: skip
def test_what_has_no_meaning_without_an_instruction(option: tuple[str, str]) -> None:
    result = run(*option)
    assert result.exit_code == 2
    assert f"{option[0]} goes with --instruction" in result.stderr


def test_a_sampler_that_there_is_not(asked: list[dict[str, Any]]) -> None:
    result = run("--instruction", "find the dog", "--sampler", "eular")
    assert result.exit_code == 2
    assert "there is no sampler `eular`" in result.stderr
    assert "did you mean `euler`" in result.stderr
    assert not asked
