"""`gensight study` in seconds: two arms, two seeds, synthetic people."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.config.loading.loader import dump_config, load_study_recipe
from gensight.errors import ConfigError
from gensight.studies.status import status
from gensight.verbs import study as module
from gensight.verbs.study import study
from tests.verbs.small_recipe import small_recipe

ARMS = "{wide: {}, narrow: {changes: {method.projection: 8}, seeds: [0]}}"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    config = small_recipe(folder, training={"steps": 2, "batch_size": 2}, evaluation={"protocols": ["mean-px"]})
    (folder / "small.yaml").write_text(dump_config(config))
    path = folder / "study.yaml"
    path.write_text(
        f"verb: study\nname: small\nrecipe: {folder / 'small.yaml'}\nseeds: [0, 1]\nreference: wide\narms: {ARMS}\n"
    )
    return path


@pytest.fixture(scope="module")
def folder(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(load_study_recipe(recipe), out=tmp_path_factory.mktemp("study") / "out", device="cpu")


def test_every_cell_is_a_run_and_is_compared(folder: Path) -> None:
    runs = {str(path.parent.relative_to(folder)) for path in folder.glob("*/*/metrics.json")}
    assert runs == {"wide/seed-0", "wide/seed-1", "narrow/seed-0"}
    summary = json.loads((folder / "study.json").read_text())
    wide, narrow = summary["arms"]
    assert (wide["num_runs"], narrow["num_runs"]) == (2, 1)
    seeds = wide["results"][0]["seeds"]
    assert wide["results"][0]["value"] == pytest.approx(sum(seeds) / 2)
    own = json.loads((folder / "narrow/seed-0/metrics.json").read_text())["scores"][0]["results"][0]
    assert narrow["results"][0]["value"] == pytest.approx(own["value"])
    [difference] = summary["differences"]
    assert (difference["model"], difference["baseline"]) == ("narrow", "wide")
    assert difference["value"] == pytest.approx(narrow["results"][0]["value"] - wide["results"][0]["value"])
    assert "http://" not in (folder / "study.html").read_text().replace("http://www.w3.org", "")
    assert "| narrow | 1 |" in (folder / "study.md").read_text()


def test_finished_runs_are_skipped_and_an_unscored_one_is_scored(
    recipe: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_study_recipe(recipe)
    begun: list[str] = []
    monkeypatch.setattr(module, "train", lambda config, out, device: begun.append(out.name))
    study(config, out=folder, device="cpu")
    assert begun == []
    (folder / "wide/seed-1/metrics.json").rename(folder / "kept.json")
    assert [state for _, state in status(config, folder)] == ["finished", "finished", "begun"]
    study(config, out=folder, device="cpu", only=["narrow"])
    assert begun == []
    study(config, out=folder, device="cpu")
    assert begun == ["seed-1"]
    assert "1 of 2" in (folder / "study.md").read_text()
    (folder / "kept.json").rename(folder / "wide/seed-1/metrics.json")


def test_ctrl_c_ends_the_study_and_prints_how_to_resume(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", interrupted)
    result = CliRunner().invoke(app, ["study", str(recipe), "--out", str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "to resume: " in result.stderr


def test_overrides_change_the_study_or_its_runs(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "train", lambda config, out, device: seen.append((config.seed, config.training.steps)))
    arguments = [
        "study",
        str(recipe),
        "seeds=[7]",
        "training.steps=3",
        "--only",
        "wide",
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert seen == [(7, 3)]
    assert result.exit_code == 2
    assert "no run of this study is finished" in result.stderr
    listed = CliRunner().invoke(app, [*arguments, "--list"]).stdout.splitlines()
    assert [line.split() for line in listed] == [["wide/seed-7", "to", "do"], ["narrow/seed-0", "to", "do"]]


def test_mistakes_are_reported_before_anything_is_run(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no arm `wid`(.|\n)*did you mean `wide`\?"):
        study(load_study_recipe(recipe), out=tmp_path / "out", only=["wid"])
    config = load_study_recipe(recipe, ["arms.narrow.changes={method.projektion: 8}"])
    with pytest.raises(ConfigError, match=r"unknown key(.|\n)*arm narrow: override `method.projektion=8`"):
        study(config, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
