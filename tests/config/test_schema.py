"""The schema: frozen, closed, strict, described, torch-free."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gensight.config.encoders import TransformersConfig
from gensight.config.fields import Section
from gensight.config.pretrain import PretrainConfig
from gensight.config.schema import DiffusersConfig, RunConfig, TrainingConfig
from gensight.config.sections import members


def all_sections(root: type[Section]) -> set[type[Section]]:
    found = {root}
    for info in root.model_fields.values():
        for child in members(info.annotation):
            found |= all_sections(child)
    return found


EVERY_SECTION = sorted(all_sections(RunConfig) | all_sections(PretrainConfig), key=lambda one: one.__name__)


def puppets(**changes: Any) -> RunConfig:
    return RunConfig.model_validate({"data": {"kind": "puppets"}, **changes})


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_every_section_and_field_is_described(section: type[Section]) -> None:
    assert section.__doc__
    for name, info in section.model_fields.items():
        assert name == "kind" or info.description, f"{section.__name__}.{name}"


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_every_section_is_frozen_and_closed(section: type[Section]) -> None:
    assert section.model_config["frozen"]
    assert section.model_config["extra"] == "forbid"


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_integers_are_strict(value: object) -> None:
    with pytest.raises(ValidationError, match=r"training\.steps"):
        puppets(training={"steps": value})


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (0.5, 0.5), ("3e-4", 3e-4), ("1E3", 1000.0), (".5e1", 5.0)])
def test_floats_take_integers_and_exponents(value: object, expected: float) -> None:
    rate = puppets(training={"learning_rate": value}).training.learning_rate
    assert rate == expected
    assert type(rate) is float


@pytest.mark.parametrize("value", [True, "0.1", "fast", "1e999", float("nan"), float("inf"), [1.0], 0, -1.0])
def test_floats_refuse_the_rest(value: object) -> None:
    with pytest.raises(ValidationError, match=r"training\.learning_rate"):
        puppets(training={"learning_rate": value})


@pytest.mark.parametrize(("value", "expected"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_cache_mode_survives_yaml_booleans(value: object, expected: str) -> None:
    assert puppets(cache={"mode": value}).cache.mode == expected


@pytest.mark.parametrize("value", ["noisy", [], [1000], [-1], [True], [1.0], 3])
def test_timesteps_are_clean_or_a_list(value: object) -> None:
    with pytest.raises(ValidationError, match="must be `clean`, `random`, or a list of timesteps from 0 to 999"):
        puppets(method={"timesteps": value})


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        puppets().seed = 1  # type: ignore[misc]


def test_paths_are_made_absolute(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    config = RunConfig.model_validate({"data": {"kind": "deeplabcut", "root": "../project"}})
    assert config.data.root == tmp_path / "project"  # type: ignore[union-attr]


@pytest.mark.parametrize("section", [DiffusersConfig, TransformersConfig])
def test_a_backbones_folder_is_made_absolute_and_a_hub_id_stays(section: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "drawn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert section(id="drawn").id == str(tmp_path / "drawn")
    assert section(id="owner/name").id == "owner/name"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"kind": "folder", "root": "x"}}, "data.kind=folder has no labels, and method.kind=readout"),
        ({"cache": {"mode": "on"}, "backbone": {"kind": "scratch"}}, "backbone.kind=scratch is trained"),
        ({"cache": {"mode": "on"}, "backbone": {"kind": "tiny", "trainable": "lora"}}, "backbone.trainable=lora"),
        ({"cache": {"mode": "on"}, "method": {"timesteps": [100]}}, "method.timesteps samples new noise"),
        ({"cache": {"mode": "on"}, "view": {"augment": {"flip": 0.5}}}, "view.augment changes each image anew"),
        ({"view": {"augment": {"scale": [2, 1]}}}, r"scale is \[smallest, largest\], got \[2.0, 1.0\]"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_both_sides_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        puppets(**changes)


def test_a_cache_of_fixed_augmented_views_is_legal() -> None:
    config = puppets(cache={"mode": "on", "views": 4}, view={"augment": {"flip": 0.5}})
    assert config.why_features_change() is None


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"kind": "seed", "train": 0.9, "test": 0.5}, "add up to 1.5"),
        ({"kind": "blocks", "num_blocks": 3, "test_block": 3}, "num_blocks=3 has blocks 0 to 2"),
        ({"kind": "blocks", "num_blocks": 1, "test_block": 0}, "greater than or equal to 2"),
        ({"kind": "videos", "test": []}, "at least 1 item"),
    ],
)
def test_splits_that_cannot_be_are_refused(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        puppets(data={"kind": "deeplabcut", "root": "x", "split": split})


def test_defaults_need_only_the_data() -> None:
    assert puppets().training == TrainingConfig()
    assert puppets().backbone.kind == "tiny"


def test_config_imports_no_heavy_package() -> None:
    code = (
        "import sys, gensight.config.loading.loader, gensight.config.pretrain\n"
        "print([name for name in ('torch', 'numpy', 'lightning', 'cv2') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
