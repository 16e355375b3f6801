"""A whole probe on a small saved pipeline, stopped and resumed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import gensight.studies.probe.measurement as measurement
from gensight.cli.main import app
from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, RunError
from gensight.files.images import read_image
from gensight.verbs.probe import probe
from tests.backbones.test_transformers_encoder import save
from tests.verbs.small_recipe import small_recipe

LAYERS = "up_blocks.1.resnets.2,up_blocks.2.resnets.0,up_blocks.3.resnets.1"
SMALL: dict[str, Any] = {"timesteps": [1, 300], "layers": LAYERS, "samples": 8, "folds": 3, "device": "cpu"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return small_recipe(
        tmp_path_factory.mktemp("recipe"), "diffusers", seed=5,
        data={"kind": "puppets", "num_train": 20, "num_validation": 0, "num_test": 1, "size": [64, 64],
              "num_subjects": [1, 1]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(recipe: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return probe(recipe, tmp_path_factory.mktemp("probe") / "out", combine=2, **SMALL)


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "probe.json").read_text())
    return found


def test_what_is_written(done: Path) -> None:
    found = content(done)
    cells = {(*cell["layers"], cell["timestep"], cell["random_weights"]): cell for cell in found["cells"]}
    for layer in LAYERS.split(","):
        assert {(layer, 1, False), (layer, 300, False), (layer, 1, True)} <= set(cells)
        assert cells[layer, 1, False]["value"] != cells[layer, 1, True]["value"]
        assert cells[layer, 1, False]["value"] != cells[layer, 300, False]["value"]
    assert sum(len(cell["layers"]) == 2 for cell in found["cells"]) == 2
    assert found["unit"] == "px"
    assert found["mean_target"]["value"] > 0
    assert found["preset"]["timestep"] in (1, 300)
    assert "mean target" in found["preset"]["chosen_by"]
    best = min(cell["value"] for cell in found["cells"] if not cell["random_weights"] and len(cell["layers"]) == 1)
    chosen = cells[(*found["preset"]["layers"], found["preset"]["timestep"], False)]
    assert chosen["value"] <= best
    assert read_image(done / "probe.png").shape[2] == 3
    assert not (done / "cache").exists()


@pytest.mark.slow
def test_a_stopped_probe_resumes(
    recipe: RunConfig, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    plain = measurement.score_features

    def interrupted(*arguments: Any) -> Any:
        if len(measured) == 4:
            raise KeyboardInterrupt
        measured.append(1)
        return plain(*arguments)

    monkeypatch.setattr(measurement, "score_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe(recipe, tmp_path / "out", combine=2, **SMALL)
    monkeypatch.setattr(measurement, "score_features", lambda *arguments: measured.append(1) or plain(*arguments))
    probe(recipe, tmp_path / "out", combine=2, **SMALL)
    assert len(measured) == len(content(done)["cells"])
    assert content(tmp_path / "out") == content(done)


@pytest.mark.slow
def test_maps(recipe: RunConfig, tmp_path: Path) -> None:
    values = recipe.model_dump(mode="json") | {
        "encoding": {"kind": "depth-map", "stride": 8}, "view": {"size": [64, 64]}, "evaluation": {}
    }  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_config(RunConfig.model_validate(values)))
    options = ["--timesteps", "300", "--layers", "up_blocks.2.resnets.0", "--samples", "6", "--folds", "3"]
    result = CliRunner().invoke(app, ["probe", str(file), *options, "--out", str(tmp_path / "out"), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "share of the target's variance explained" in result.output
    found = content(tmp_path / "out")
    assert found["unit"] == "R²"
    assert found["mean_target"]["value"] < 1


def test_the_layers_of_an_image_encoder_are_compared(recipe: RunConfig, tmp_path: Path) -> None:
    values = recipe.model_dump(mode="json") | {"backbone": {"kind": "transformers", "id": str(save(tmp_path / "net"))}}
    found = content(probe(RunConfig.model_validate(values), tmp_path / "out", **{**SMALL, "layers": "all"}))
    assert {(*cell["layers"], cell["random_weights"]) for cell in found["cells"]} == {
        (name, random) for name in ("stage1", "stage2") for random in (False, True)
    }
    assert "timestep" not in found["preset"]


# --- what is refused


def test_another_probe_is_not_overwritten(recipe: RunConfig, done: Path) -> None:
    with pytest.raises(RunError, match="holds a probe of other settings"):
        probe(recipe, done, **{**SMALL, "samples": 9})


def test_unknown_layers_are_refused_with_the_choices(recipe: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        probe(recipe, tmp_path / "out", **{**SMALL, "layers": "up_blocks.2.resnet.0"})
    assert "the backbone has no layer 'up_blocks.2.resnet.0'" in str(caught.value)
    assert "valid: vae.down_blocks.0.resnets.0" in str(caught.value)
    assert "did you mean up_blocks.2.resnets.0" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timesteps": [1, 1000]}, "timesteps are from 0 to 999, got 1000"),
        ({"timesteps": []}, "at least one timestep is needed"),
        ({"timesteps": [1, 1]}, "a timestep is given twice"),
        ({"folds": 2}, "needs at least 3 folds, got 2"),
        ({"combine": 0}, "at least one layer is read, got 0"),
        ({"layers": " , "}, "no layer is asked for"),
    ],
)
def test_mistakes_of_the_call(recipe: RunConfig, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        probe(recipe, tmp_path / "out", **{**SMALL, **changes})


def test_networks_that_were_not_pretrained_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"only a pretrained backbone has layers to compare(?s:.*)valid: .*imagenet"):
        probe(small_recipe(tmp_path, "scratch"), tmp_path / "out", **SMALL)


@pytest.mark.parametrize("kind", ["correspondence", "appearance"])
def test_encodings_without_maps_are_refused(recipe: RunConfig, tmp_path: Path, kind: str) -> None:
    values = recipe.model_dump(mode="json") | {"encoding": {"kind": kind, "stride": 8}, "evaluation": {}}
    values["data"]["num_frames"] = 2
    with pytest.raises(ConfigError, match=f"a probe reads one map per image, and the {kind} encoding has"):
        probe(RunConfig.model_validate(values), tmp_path / "out", **SMALL)


def test_words_for_timesteps_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["probe", "demo", "--timesteps", "clean"])
    assert isinstance(result.exception, SystemExit) or result.exit_code == 2
    assert result.exit_code == 2
