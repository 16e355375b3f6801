"""Gaze from a recipe to scores, baselines, pictures and predictions; miniatures of the three data sets."""

import json
from pathlib import Path

import pytest
import torch

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.images import write_image
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.data import datasets
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

PUPPETS = {"kind": "puppets", "num_train": 8, "num_validation": 3, "num_test": 6, "size": [48, 64]}
METHODS: dict[str, dict[str, object]] = {
    "gaze-frozen": {"width": 16, "num_blocks": 2, "num_heads": 2, "token_stride": 16, "close_up": 2},
    "gaze-convolutional": {"encoder": "small", "direction_weight": 1.0},
    "gaze-diffusion": {
        "encoder": "small", "sample_steps": 2, "num_draws": 2, "train_steps": 50, "direction_weight": 1.0, "beside": 2
    },
}  # fmt: skip


def recipe(method_kind: str, data: dict[str, object] = PUPPETS, **changes: object) -> RunConfig:
    values: dict[str, object] = {
        "name": method_kind,
        "data": data,
        "view": {
            "size": [64, 64],
            "crop": "stretched-frame",
            "padding": 1.2,
            "augment": {"flip": 0.5, "crop": 0.5, "head_jitter": 0.2},
        },
        "encoding": {"kind": "gaze", "grid": [16, 16], "sigma": 1.0},
        "backbone": {"kind": "scratch", "widths": [8, 8, 16]},
        "method": {"kind": method_kind, **METHODS[method_kind]},
        "training": {"steps": 4, "batch_size": 4, "validate_every": 2},
        **changes,
    }
    return RunConfig.model_validate(values)


SLOW = pytest.mark.slow
FEW = ["gaze-frozen", *(pytest.param(method, marks=SLOW) for method in METHODS if method != "gaze-frozen")]


@pytest.mark.parametrize("method", FEW)
def test_a_method_is_trained_scored_and_shown(tmp_path: Path, method: str) -> None:
    config = recipe(method)
    run = train(config, tmp_path / "run", "cpu")
    metrics = json.loads((run / "metrics.json").read_text())
    assert [entry["model"] for entry in metrics["scores"]] == [
        method,
        "centre-gaze",
        "mean-gaze",
        "head-pixels",
        "head-direction",
    ]
    for entry in metrics["scores"]:
        names = [result["protocol"] for result in entry["results"]]
        assert names == [
            f"gazefollow-{m}" for m in ("auc", "average-distance", "minimum-distance", "average-angle")
        ] + ["in-frame-ap"]
        assert all(result["value"] is not None for result in entry["results"])
    assert list((run / "pictures").glob("*.jpg"))
    folder = tmp_path / "images"
    for index, sample in enumerate(PuppetsReader(2, seed=5, size=(48, 64))):
        write_image(folder / f"{index}.png", sample.image())
    boxes = [{"file_name": "0.png", "bbox": [x, 5, 10, 12], "score": 1} for x in (10, 30)]
    (tmp_path / "heads.json").write_text(json.dumps(boxes))
    out = predict(run, folder, tmp_path / "out", "cpu", boxes=tmp_path / "heads.json")
    rows = json.loads((out / "gaze.json").read_text())
    assert [(row["image"], row["person"]) for row in rows] == [("0.png", 0), ("0.png", 1)]
    assert all(0 <= row["gaze_x"] <= 64 and 0 <= row["in_frame_probability"] <= 1 for row in rows)
    assert (rows[0]["spread_px"] is not None) == (method == "gaze-diffusion")
    assert (out / "gaze.csv").read_text().count("\n") == 3
    assert len(list((out / "overlays").glob("*.jpg"))) == 2
    with pytest.raises(ConfigError, match="needs the boxes of heads, and none are known"):
        predict(run, folder, tmp_path / "out2", "cpu")
    with pytest.raises(ConfigError, match="only gaze in a video is smoothed"):
        predict(run, folder, tmp_path / "out2", "cpu", boxes=tmp_path / "heads.json", smooth=5)


def test_a_keypoint_run_finds_one_head_in_each_image(tmp_path: Path) -> None:
    keypoints = train(
        small_recipe(tmp_path, evaluation={"protocols": ["mean-px"], "baselines": []}), tmp_path / "k", "cpu"
    )
    run = train(recipe("gaze-convolutional", evaluation={"baselines": ["centre-gaze"]}), tmp_path / "run", "cpu")
    for index, sample in enumerate(PuppetsReader(2, seed=5, size=(48, 64))):
        write_image(tmp_path / "images" / f"{index}.png", sample.image())
    out = predict(run, tmp_path / "images", tmp_path / "out", "cpu", detector=str(keypoints))
    rows = json.loads((out / "gaze.json").read_text())
    assert len({row["image"] for row in rows}) == len(rows) <= 2
    with pytest.raises(ConfigError, match="which only gaze runs ask for"):
        predict(keypoints, tmp_path / "images", tmp_path / "out2", "cpu", detector=str(keypoints))
    with pytest.raises(ConfigError, match="has no two of a head's keypoints"):
        predict(run, tmp_path / "images", tmp_path / "out2", "cpu", detector=str(run))


@SLOW
@pytest.mark.parametrize("kind", ["gazefollow", "video-attention-target", "goo"])
def test_a_miniature_is_written_checked_and_trained_on(tmp_path: Path, kind: str) -> None:
    root = datasets.write("puppets", tmp_path / "data", format=kind, num_samples=24, size="48x64", seed=6)
    data: dict[str, object] = {"kind": kind, "root": str(root)}
    if kind == "goo":
        data |= {"train": "train.json", "test": "test.json", "validation_share": 0.2}
    elif kind == "gazefollow":
        data |= {"validation_share": 0.2, "num_test": 3}
    overrides = [f"{key}={value}" for key, value in data.items() if key != "kind"]
    for part in datasets.check(kind, overrides).values():
        assert part.num_samples
        assert not [finding for finding in part.findings if finding.level == "error"]
    protocols = {"gazefollow": "gazefollow", "video-attention-target": "video", "goo": "goo-5x5"}
    evaluation = {"protocols": [protocols[kind]], "baselines": ["centre-gaze"]}
    run = train(recipe("gaze-frozen", data, evaluation=evaluation), tmp_path / "run", "cpu")
    result = json.loads((run / "metrics.json").read_text())["scores"][0]["results"][0]
    assert result["protocol"].startswith(f"{protocols[kind]}-auc")
    assert ("3 images, seed 0" in result["protocol"]) == (kind == "gazefollow")
    assert 0 <= result["value"] <= 1
    image = sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png"))[0]
    head = {"file_name": image.name, "bbox": [10, 5, 12, 14], "score": 1}
    (tmp_path / "heads.json").write_text(json.dumps([head]))
    out = predict(run, image, tmp_path / "out", "cpu", boxes=tmp_path / "heads.json")
    assert len(json.loads((out / "gaze.json").read_text())) == 1


@SLOW
@pytest.mark.parametrize("method", METHODS)
def test_a_training_gone_on_with_ends_with_the_same_weights(tmp_path: Path, method: str) -> None:
    from gensight.engine.weights import load_file

    whole = train(recipe(method, evaluation={"baselines": []}), tmp_path / "whole", "cpu")
    halves = tmp_path / "halves"
    import gensight.engine.fit as fit_module

    real = fit_module._StopAtEnd.on_train_batch_end

    def stop(self, trainer, pl_module, outputs, batch, batch_idx):  # type: ignore[no-untyped-def]
        real(self, trainer, pl_module, outputs, batch, batch_idx)
        if pl_module.num_steps == 2:
            self.interrupted = trainer.should_stop = True

    fit_module._StopAtEnd.on_train_batch_end = stop
    try:
        with pytest.raises(KeyboardInterrupt):
            train(recipe(method, evaluation={"baselines": []}), halves, "cpu")
    finally:
        fit_module._StopAtEnd.on_train_batch_end = real
    train(recipe(method, evaluation={"baselines": []}), halves, "cpu")
    first, second = (load_file(run / "model" / "weights.safetensors") for run in (whole, halves))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoding": {"kind": "heatmap"}}, "goes with encoding.kind=gaze"),
        ({"method": {"kind": "readout"}}, "encoding.kind=gaze goes with method.kind="),
        ({"view": {"size": [64, 64], "crop": "box"}}, "gaze needs whole scenes"),
        ({"view": {"size": [64, 64], "augment": {"rotation": 10}}}, "not by rotation"),
        ({"method": {"kind": "gaze-diffusion", "target": "epsilon", "zero_terminal_snr": True}}, "don't go together"),
        ({"method": {"kind": "gaze-diffusion", "loss": "kl", "weighting": "snr"}}, "means nothing"),
        ({"method": {"kind": "gaze-diffusion", "attention": [True]}}, "attention has 1 scales, widths 4"),
        ({"method": {"kind": "gaze-diffusion", "sample_steps": 1001}}, "exceeds train_steps=1000"),
        ({"method": {"kind": "gaze-diffusion", "freeze_scene": True}}, "a frozen encoder needs weights"),
        ({"method": {"kind": "gaze-frozen", "width": 10, "num_heads": 4}}, "not a multiple of num_heads"),
    ],
)
def test_choices_that_mean_nothing_together_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe("gaze-frozen", **changes)
