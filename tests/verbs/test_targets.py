"""Every target, from a recipe to scores, baselines, pictures and predictions on new images, in seconds."""

import json
from pathlib import Path

import numpy as np
import pytest

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.images import write_image
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.match import match
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

FRAMES = {"kind": "puppets", "num_train": 6, "num_validation": 4, "num_test": 4, "size": [64, 64], "num_frames": 2}
TARGETS: dict[str, dict[str, object]] = {
    "pose-image": {},
    "edge-image": {},
    "depth-image": {},
    "depth-map": {"far": 50.0},
    "normals": {},
    "correspondence": {"distance": [1, 2], "num_points": 16},
    "appearance": {},
}
RELATIONS = ("correspondence", "appearance")


def recipe(folder: Path, kind: str, backbone: str = "scratch", **changes: object) -> RunConfig:
    fields: dict[str, object] = {
        "name": kind,
        "view": {"size": [64, 64], "crop": "box" if kind == "pose-image" else "frame"},
        "encoding": {"kind": kind, **TARGETS[kind]},
        "evaluation": {},
        **changes,
    }
    if kind in RELATIONS:
        fields["data"] = FRAMES
    return small_recipe(folder, backbone, **fields)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index, sample in enumerate(PuppetsReader(3, seed=5, size=(48, 64))):
        write_image(folder / f"{index}.png", sample.image())
    return folder


SLOW = ("pose-image", "edge-image", "depth-image")  # painted as depth maps are, and trained in a joint run below


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in TARGETS]
)
def test_a_target_is_trained_scored_and_shown(tmp_path: Path, pictures: Path, kind: str) -> None:
    config = recipe(tmp_path, kind, "diffusers")
    run = train(config, tmp_path / "run", "cpu")
    metrics = json.loads((run / "metrics.json").read_text())
    assert [entry["model"] for entry in metrics["scores"]] == ["readout", *config.baselines]
    for entry in metrics["scores"]:
        for result in entry["results"]:
            assert result["value"] is not None
            few = any(note.startswith("no interval") for note in result["notes"])
            assert few == (result["interval"] == [None, None])
            assert few or result["interval"][0] <= result["value"] <= result["interval"][1]
    items = json.loads((run / "predictions.json").read_text())["items"]
    assert items
    for item in items:
        assert (run / item["panel" if kind != "pose-image" else "image"]).is_file()
    assert "Worst" in (run / "report.html").read_text()
    if kind in RELATIONS:
        folder = match(run, pictures / "0.png", pictures, points=np.array([[10.0, 10.0]])).folder
        name = "matches.csv" if kind == "correspondence" else "similarities.csv"
        assert len((folder / name).read_text().splitlines()) == 4
        with pytest.raises(ConfigError, match="this run compares images"):
            predict(run, pictures)
    else:
        folder = predict(run, pictures)
        assert len(list((folder / "overlays").iterdir())) == 3
        with pytest.raises(ConfigError, match="this run reads single images"):
            match(run, pictures / "0.png", pictures)


def test_a_joint_run_reads_all_its_parts_at_once(tmp_path: Path, pictures: Path) -> None:
    parts = {kind: {"kind": kind, **TARGETS[kind]} for kind in ("edge-image", "depth-map")}
    config = small_recipe(
        tmp_path,
        "diffusers",
        view={"size": [64, 64]},
        encoding={"kind": "joint", "parts": parts, "timesteps": {"edge-image": "random"}},
        evaluation={"baselines": ["scratch", "mean-map"]},
    )
    run = train(config, tmp_path / "run", "cpu")
    scored = json.loads((run / "metrics.json").read_text())["scores"][0]["results"]
    assert {result["protocol"].split("/")[0].split("@")[0] for result in scored} >= {"depth-metric", "depth-affine"}
    prediction = TrainedRun.load(run).predict(pictures / "0.png")
    assert prediction.depth is not None
    assert "edges" in prediction.maps


@pytest.mark.slow  # two trainings
def test_runs_on_one_backbone_are_predicted_together(tmp_path: Path, pictures: Path) -> None:
    runs = [
        train(recipe(tmp_path, kind, "diffusers", evaluation={"baselines": []}), tmp_path / kind, "cpu")
        for kind in ("edge-image", "depth-map")
    ]
    alone = predict(runs[1], pictures, tmp_path / "alone")
    folder = predict(runs[0], pictures, tmp_path / "together", also=runs[1:])
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["depth-map", "edge-image"]
    for path in sorted((alone / "depth").iterdir()):
        assert path.read_bytes() == (folder / "depth-map/depth" / path.name).read_bytes()
