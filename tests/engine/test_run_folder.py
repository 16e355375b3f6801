"""A run folder knows its own recipe again, also one that an older version of gensight wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.engine.run_folder import RunFolder
from gensight.errors import RunError

CONFIG = RunConfig.model_validate({"data": {"kind": "puppets", "num_train": 6}, "training": {"accumulate": 2}})


def change(folder: RunFolder, edit: Callable[[dict[str, Any]], object]) -> str:
    values = yaml.safe_load(folder.config.read_text())
    edit(values)
    folder.config.write_text(yaml.safe_dump(values))
    return folder.config.read_text()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.create(CONFIG)
    return run


def test_the_same_recipe_is_gone_on_with(folder: RunFolder) -> None:
    before = folder.config.stat().st_mtime_ns
    folder.create(CONFIG)
    assert folder.config.stat().st_mtime_ns == before


def test_fields_that_are_absent_count_as_their_defaults(folder: RunFolder) -> None:
    change(folder, lambda values: (values["training"].pop("ema"), values["data"].pop("subjects"), values.pop("cache")))
    folder.create(CONFIG)
    assert folder.config.read_text() == dump_config(CONFIG)


def test_a_finished_run_keeps_its_text(folder: RunFolder) -> None:
    text = change(folder, lambda values: values["training"].pop("ema"))
    for path in (folder.weights, folder.card):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    folder.create(CONFIG)
    assert folder.config.read_text() == text


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values["training"].pop("accumulate"),  # it isn't at its default now
        lambda values: values["training"].update(steps=7),
        lambda values: values["training"].update(unheard_of=1),
        lambda values: values["training"].update(steps="many"),
    ],
)
def test_another_recipe_is_refused_and_left_alone(folder: RunFolder, edit: Callable[[dict[str, Any]], object]) -> None:
    text = change(folder, edit)
    with pytest.raises(RunError, match="this folder holds a run of another recipe"):
        folder.create(CONFIG)
    assert folder.config.read_text() == text
