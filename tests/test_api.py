"""The public API: it stays light, its docstrings' examples run, and mistakes are named."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gensight as gs
from gensight import api
from gensight.config.loading.loader import load_recipe
from gensight.config.loading.overrides import value_overrides
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.images import write_image

# Later ones use the run of the first.
WITH_EXAMPLES = ("train", "load", "evaluate", "predict", "backbone", "readout", "annotate")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, gensight; print('torch' in sys.modules, 'train' in dir(gensight), hasattr(gensight, 'nothing'))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False True False\n"


def test_the_examples_of_the_docstrings_run(tmp_path: Path) -> None:
    picture = np.full((64, 64, 3), 120, dtype=np.uint8)
    names = {
        "gs": gs, "torch": torch, "picture": picture, "photo": tmp_path / "photo.png", "folder": tmp_path / "demo",
        "depth_folder": tmp_path / "depth", "edges_folder": tmp_path / "edges",
    }  # fmt: skip
    write_image(tmp_path / "photo.png", picture)
    runner = doctest.DocTestRunner()
    for name in WITH_EXAMPLES:
        function = getattr(gs, name)
        found = [test for test in doctest.DocTestFinder().find(function, name, globs=names) if test.examples]
        assert found, f"{name} has no example"
        for test in found:
            report: list[str] = []
            assert runner.run(test, out=report.append).failed == 0, "".join(report)


def test_settings_are_checked_as_overrides_are() -> None:
    with pytest.raises(ConfigError, match=r"training\.step: unknown key[\s\S]*did you mean `training.steps`"):
        gs.train("demo", {"training.step": 3})
    with pytest.raises(ConfigError, match="timestep"):
        gs.backbone("tiny", {"timestep": "late"})
    with pytest.raises(ConfigError, match="unknown kind 'heatmaps'"):
        gs.readout("puppets", "heatmaps")


def test_data_given_as_text_leaves_the_recipes_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    recipes: list[RunConfig] = []

    def train(recipe: str, settings: api.Settings) -> None:
        recipes.append(load_recipe(recipe, value_overrides(settings or {})))
        raise InterruptedError

    monkeypatch.setattr(api, "train", train)
    own = load_recipe("landmarks-video", ["data.root=videos"]).data
    for data, settings in (
        ("footage root=videos", None),
        ("footage root=videos long_side=200", None),
        ({"kind": "footage", "root": "videos"}, {"data.step": 2}),
    ):
        with pytest.raises(InterruptedError):
            gs.landmarks(data, settings)

    assert [recipe.data.model_dump() for recipe in recipes] == [
        own.model_dump(), own.model_dump() | {"long_side": 200}, own.model_dump() | {"step": 2},
    ]  # fmt: skip
    assert own.model_dump()["step"] == 4


def test_every_public_function_is_documented() -> None:
    for name in api.__dict__["__all__"]:
        assert (getattr(gs, name).__doc__ or "").strip(), name
