"""Runs that live on: trained longer, their data moved, scored by more protocols, exported, damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gensight.config.schema import RunConfig
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, DataError, RunError
from gensight.files.images import write_image
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.evaluate import evaluate
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

PARTS = ("nose", "tail")


def project(folder: Path, num_frames: int = 16) -> Path:
    """A DeepLabCut project of random frames."""
    frames = folder / "labeled-data" / "video"
    lines = [f"scorer{',me' * 4}", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
    random = np.random.default_rng(0)
    for number in range(num_frames):
        write_image(frames / f"img{number:02d}.png", random.integers(0, 255, (24, 32, 3)).astype(np.uint8))
        lines.append(f"labeled-data/video/img{number:02d}.png,5,{3 + number},25,{5 + number}")
    (frames / "CollectedData_me.csv").write_text("\n".join(lines) + "\n")
    names = "".join(f"- {part}\n" for part in PARTS)
    (folder / "config.yaml").write_text(f"Task: t\nscorer: me\nbodyparts:\n{names}video_sets: {{}}\nskeleton: []\n")
    return folder


def recipe(root: Path, **changes: object) -> RunConfig:
    return small_recipe(
        root,
        **{
            "data": {"kind": "deeplabcut", "root": str(root), "split": {"kind": "order", "train": 0.5, "test": 0.4}},
            "view": {"size": [32, 32]},
            "encoding": {"kind": "heatmap"},
            "training": {"steps": 2, "batch_size": 2, "validate_every": 2, "schedule": "cosine"},
            "evaluation": {"protocols": ["mean-px"], "baselines": ["mean-position"]},
            **changes,
        },
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `project` and `run`; never changed."""
    folder = tmp_path_factory.mktemp("moved")
    train(recipe(project(folder / "project")), folder / "run", device="cpu")
    return folder


@pytest.fixture
def moved(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, whose data lie in `elsewhere`, not where its recipe has them."""
    shutil.copytree(trained / "run", tmp_path / "run")
    shutil.copytree(trained / "project", tmp_path / "elsewhere")
    run = RunFolder(tmp_path / "run")
    run.config.write_text(run.config.read_text().replace(str(trained), str(tmp_path)))
    return tmp_path


def protocols(run: Path) -> dict[str, list[str]]:
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    return {score["model"]: [result["protocol"] for result in score["results"]] for score in scores}


def test_data_that_moved_can_be_named_and_the_run_keeps_their_place(moved: Path) -> None:
    with pytest.raises(DataError, match="the data are not there") as caught:
        evaluate(moved / "run", device="cpu")
    assert "data.root=PATH" in (caught.value.hint or "")
    evaluate(moved / "run", device="cpu", overrides=[f"data.root={moved / 'elsewhere'}"])
    before = (moved / "run" / "metrics.json").read_bytes()
    evaluate(moved / "run", device="cpu")
    scores = [json.loads(text)["scores"][0]["results"] for text in (before, (moved / "run/metrics.json").read_bytes())]
    assert scores[0] == scores[1]


def test_other_data_are_refused(moved: Path) -> None:
    other = project(moved / "other", num_frames=20)
    with pytest.raises(RunError, match="other data than the run was trained on: its train part had 8 samples, here"):
        evaluate(moved / "run", device="cpu", overrides=[f"data.root={other}"])
    assert str(other) not in (moved / "run" / "config.yaml").read_text()


def test_nothing_else_of_a_run_is_changed(moved: Path) -> None:
    with pytest.raises(ConfigError, match="can't be changed, but for where its data lie and what is scored"):
        evaluate(moved / "run", device="cpu", overrides=["view.size=[64,64]"])


def test_evaluate_adds_to_what_is_scored_and_erases_nothing(moved: Path) -> None:
    run, root, said = moved / "run", f"data.root={moved / 'elsewhere'}", list[str]()
    evaluate(run, device="cpu", baselines=False, overrides=[root, "evaluation.protocols=[median-px]"])
    assert protocols(run) == {"readout": ["mean-px", "median-px"], "mean-position": ["mean-px"]}
    assert len(json.loads((run / "metrics.json").read_text())["differences"]) == 1
    evaluate(run, device="cpu", announce=said.append)
    assert protocols(run) == {"readout": ["mean-px", "median-px"], "mean-position": ["mean-px", "median-px"]}
    assert not said


def test_more_steps_lengthen_a_finished_run_to_the_same_weights_as_at_once(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    config, said = recipe(trained / "project"), list[str]()
    constant = {"batch_size": 2, "validate_every": 2}
    train(recipe(trained / "project", training={"steps": 2, **constant}), tmp_path / "short", device="cpu")
    for folder in ("short", "whole"):
        longer = recipe(trained / "project", training={"steps": 4, **constant})
        train(longer, tmp_path / folder, device="cpu", announce=said.append)
    assert said == ["lengthened from 2 to 4 steps"]
    short, whole = (load_file(tmp_path / folder / "model/weights.safetensors") for folder in ("short", "whole"))
    for name, array in whole.items():
        np.testing.assert_array_equal(short[name], array)
    assert RunFolder(tmp_path / "short").read_card().steps == 4
    with pytest.raises(RunError, match="has trained for 4 steps already"):
        train(recipe(trained / "project", training={"steps": 3, **constant}), tmp_path / "short", device="cpu")
    with pytest.raises(RunError, match=r"another recipe: seed is 0 there and 1 here"):
        train(config.model_copy(update={"seed": 1}), tmp_path / "run", device="cpu")


def test_own_sigmas_are_kept_and_lacking_ones_refused_before_training(trained: Path, tmp_path: Path) -> None:
    lacking = {"protocols": ["coco-oks"], "baselines": []}
    with pytest.raises(ConfigError, match="needs a fall-off") as caught:
        train(recipe(trained / "project", evaluation=lacking), tmp_path / "none", device="cpu")
    assert caught.value.where == "evaluation.sigmas"
    assert not (tmp_path / "none").exists()
    with pytest.raises(ConfigError, match="3 sigmas for the 2 keypoints"):
        train(recipe(trained / "project", evaluation={**lacking, "sigmas": [0.1] * 3}), tmp_path / "no", device="cpu")
    run = train(recipe(trained / "project", evaluation={**lacking, "protocols": ["mean-px"], "sigmas": [0.05, 0.1]}),
                tmp_path / "own", device="cpu")  # fmt: skip
    skeleton = RunFolder(run).read_card().skeleton
    assert skeleton is not None
    assert skeleton.sigmas == (0.05, 0.1)


def test_weights_that_are_not_numbers_are_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    path = tmp_path / "run" / "model" / "weights.safetensors"
    save_file({name: np.full_like(array, np.nan) for name, array in load_file(path).items()}, path)
    with pytest.raises(RunError, match="tensors hold weights that are not finite"):
        TrainedRun.load(tmp_path / "run", "cpu")


@pytest.mark.parametrize("text", ["[]", "null"])
def test_a_card_that_is_no_object_is_refused_by_name(trained: Path, tmp_path: Path, text: str) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    RunFolder(tmp_path / "run").card.write_text(text)
    with pytest.raises(RunError, match="this is no run's card"):
        TrainedRun.load(tmp_path / "run", "cpu")
