"""A published head becomes a run that predicts, is scored, and gives what its own network gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import gensight
from gensight.backbones.base import Features
from gensight.backbones.diffusion import load_diffusion
from gensight.cli.main import app
from gensight.errors import ConfigError, RunError
from gensight.geometry import warp_image
from gensight.heads.released import read_released_head
from gensight.loading.cases import Case, collate
from gensight.prediction.request import subject_items
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Sample
from gensight.verbs.evaluate import evaluate
from gensight.verbs.import_weights import guess_head, import_weights
from tests.heads.released_files import released_file
from tests.pipelines import save_pipeline

SD = (32,) * 6 + (16,) * 3 + (8,) * 3
XL = (32,) * 3 + (16,) * 3 + (8,) * 3
TIME = 32  # channels of the small pipelines' time embedding
SMALL = "view.size=[64,64]"


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {"sd": save_pipeline(root / "sd", "sd"), "xl": save_pipeline(root / "xl", "xl")}


def imported(folder: Path, pipeline: Path, head: str | None = None, dims: Any = SD, **options: Any) -> Path:
    file = released_file(folder / options.pop("name", "head.pt"), dims, TIME, **options)
    return import_weights("readout-guidance", file, folder / "run", str(pipeline), head, [SMALL])


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("sequential", "family", "head", "options"),
    [
        (False, "sd", "keypoints", {"channels": 18, "tanh": False}),
        (False, "xl", "depth", {"channels": 3}),
        (True, "sd", "pose", {"channels": 3}),
        (True, "xl", "correspondence", {"channels": None}),
    ],
)
def test_the_run_gives_what_the_released_network_gives(
    tmp_path: Path, pipelines: dict[str, Path], sequential: bool, family: str, head: str, options: dict[str, Any]
) -> None:
    dims = SD if family == "sd" else XL
    run = TrainedRun.load(imported(tmp_path, pipelines[family], head, dims, sequential=sequential, **options), "cpu")
    (item,) = subject_items(Sample("image", (64, 64), picture), None)
    views = run.policy.views(item)
    case = Case(item, views, 0, (warp_image(picture(), views[0]),), {})
    (result,) = run.method.predict(collate([case])).values()

    backbone = load_diffusion(pipelines[family])
    pixels = torch.from_numpy(picture()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        maps = backbone.features(pixels, timestep=1).maps
        embedding = backbone.unet.time_embedding(backbone.unet.time_proj(torch.tensor([999])))
        aggregation, output = read_released_head(tmp_path / "head.pt").networks(backbone.layers)
        expected = aggregation(Features(maps, None if sequential else embedding), (8, 8))
        expected = expected if output is None else output(expected)
    expected = {
        "keypoints": lambda: expected,
        "depth": lambda: (expected + 1) / 2,
        "pose": lambda: (expected + 0.5).clamp(0, 1),
        "correspondence": lambda: torch.nn.functional.normalize(expected, dim=1)[:, None],
    }[head]()
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 1e-3


@pytest.mark.slow
def test_the_run_is_scored_and_records_its_origin(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    file = released_file(tmp_path / "head.pt", SD, TIME, channels=18, tanh=False)
    options = [str(file), "--out", str(tmp_path / "run"), "--backbone", str(pipelines["sd"])]
    done = CliRunner().invoke(app, ["import-weights", "readout-guidance", *options, SMALL, "data.num_test=2"])
    assert done.exit_code == 0, done.output
    assert "next: gensight predict" in done.output
    run = tmp_path / "run"
    card = json.loads((run / "model" / "card.json").read_text())
    assert card["steps"] == 5000
    assert card["imported"]["head"] == "keypoints"
    assert "time embedding of 1000 - t" in card["imported"]["notes"][0]
    scored = evaluate(run, device="cpu")
    assert scored[0].num_items > 0
    assert (run / "report.html").is_file()
    people = gensight.load(run).predict(picture()).instances
    assert people is not None
    assert people[0].keypoints is not None
    assert people[0].keypoints.points.shape == (18, 2)


def test_the_full_size_is_the_backbones(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    file = released_file(tmp_path / "head.pt", SD, TIME)
    run = import_weights("readout-guidance", file, tmp_path / "run", str(pipelines["sd"]))
    assert "size: [512, 512]" in (run / "config.yaml").read_text()


def test_some_of_the_layers(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    run = imported(tmp_path, pipelines["sd"], dims=(32, 8), config={"idxs": "[4, 10]"})
    layers = TrainedRun.load(run, "cpu").config.backbone.layers
    assert layers == ("up_blocks.1.resnets.1", "up_blocks.3.resnets.1")


def test_importing_again_changes_nothing(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    first = imported(tmp_path, pipelines["sd"])
    before = (first / "model" / "weights.safetensors").read_bytes()
    assert (imported(tmp_path, pipelines["sd"]) / "model" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("head.pt", {"channels": 18, "tanh": False}, "keypoints"),
        ("head.pt", {"channels": 3}, "pose"),
        ("readout_sdxl_spatial_depth.pt", {"channels": 3}, "depth"),
        ("head.pt", {"config": {"dataset_args": {"sparse_loss": False, "control_range": [-1, 1]}}}, "depth"),
        ("spatial_edge.pt", {"config": {"dataset_args": {"sparse_loss": True}}}, "edges"),
        ("head.pt", {"config": {"dataset_args": {"control_type": "edge"}}}, "edges"),
        ("drag.pt", {"channels": None}, "correspondence"),
        ("readout_sdv15_appearance.pt", {"channels": None}, "appearance"),
        ("head.pt", {"channels": None, "config": {"dataset_args": {"sdedit_root": "x"}}}, "appearance"),
    ],
)
def test_what_a_head_reads(tmp_path: Path, name: str, options: dict[str, Any], expected: str) -> None:
    file = released_file(tmp_path / name, SD, TIME, **options)
    assert guess_head(read_released_head(file).config, file) == expected


@pytest.mark.slow
def test_a_run_of_a_head_of_drawings_resumes_with_the_published_loss(
    tmp_path: Path, pipelines: dict[str, Path]
) -> None:
    assert TrainedRun.load(imported(tmp_path, pipelines["sd"], "pose"), "cpu").method.loss == "published"


# --- what is refused


@pytest.mark.parametrize(
    ("key", "value"),
    [("save_mode", "output"), ("prompt", "a photo"), ("num_timesteps", 50), ("diffusion_mode", "inversion")],
)
def test_features_that_are_read_otherwise_are_refused(
    tmp_path: Path, pipelines: dict[str, Path], key: str, value: Any
) -> None:
    with pytest.raises(RunError, match=f"features that are read otherwise here: {key}={value!r}"):
        imported(tmp_path, pipelines["sd"], config={key: value})
    assert not (tmp_path / "run").exists()


def test_the_usual_reading_may_be_written_out(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    usual = {"save_mode": "hidden", "prompt": "", "num_timesteps": 1000, "diffusion_mode": "generation"}
    assert imported(tmp_path, pipelines["sd"], config=usual).is_dir()


def test_another_backbone_is_refused(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    with pytest.raises(RunError, match=r"was not trained on .*: it reads layers of 32, .* and the decoder has 32, 32"):
        imported(tmp_path, pipelines["xl"])
    assert not (tmp_path / "run").exists()
    file = released_file(tmp_path / "head.pt", SD, 24)
    with pytest.raises(RunError, match="its time embedding has 24 channels, the backbone's 32"):
        import_weights("readout-guidance", file, tmp_path / "run", str(pipelines["sd"]), None, [SMALL])


def test_heads_that_do_not_read_that(tmp_path: Path, pipelines: dict[str, Path]) -> None:
    with pytest.raises(RunError, match="the head has 18 maps without a tanh, but pose-image has 3 maps with a tanh"):
        imported(tmp_path, pipelines["sd"], "pose", channels=18, tanh=False)
    with pytest.raises(RunError, match=r"makes 18 maps .or 17., this one makes 5"):
        imported(tmp_path, pipelines["sd"], channels=5, tanh=False)
    with pytest.raises(RunError, match="the head has no maps of its own, but depth-image has 3 maps with a tanh"):
        imported(tmp_path, pipelines["sd"], "depth", channels=None)


def test_mistakes_of_the_call(tmp_path: Path) -> None:
    file = released_file(tmp_path / "head.pt", SD, TIME)
    with pytest.raises(ConfigError, match="unknown source of weights `other`"):
        import_weights("other", file, tmp_path / "run")
    with pytest.raises(ConfigError, match="unknown head `gaze`"):
        import_weights("readout-guidance", file, tmp_path / "run", head="gaze")
    with pytest.raises(ConfigError, match=r"method\.order is set by the file"):
        import_weights("readout-guidance", file, tmp_path / "run", overrides=["method.order=native"])
    several = released_file(tmp_path / "several.pt", SD, TIME, num_timesteps=2)
    with pytest.raises(RunError, match="aggregates 2 noise levels"):
        import_weights("readout-guidance", several, tmp_path / "run")
