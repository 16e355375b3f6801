"""A user's own diffusers pipeline, steered, gives what our sampler gives."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    T2IAdapter,
)

from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion
from gensight.encodings.base import OutputSpec
from gensight.errors import ConfigError
from gensight.guidance.goals import SpatialGoal
from gensight.guidance.heads import guiding_head
from gensight.guidance.pipelines import steered
from gensight.guidance.sampling import ImageSampling, sample
from gensight.guidance.steering import Steering
from gensight.methods.readout.method import Part, Readout
from tests.pipelines import save_pipeline
from tests.tolerances import PICTURES

STEERING = Steering(weight=0.1, share=0.5, inner_steps=2)
PROMPT = "a cat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")


@pytest.fixture(scope="module")
def backbone(folder: Path) -> DiffusionBackbone:
    return load_diffusion(folder)


def goal(backbone: DiffusionBackbone) -> SpatialGoal:
    torch.manual_seed(0)
    part = Part({"depth": OutputSpec(1, "dense-image")}, 8, "random")
    method = Readout(backbone, {"depth": part}, projection=16, bottleneck=8, widths=(8, 8)).eval()
    return SpatialGoal(guiding_head(method, "run"), torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1)))


def plain(folder: Path, scheduler: Any = DDIMScheduler) -> Any:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    options = {"clip_sample": False} if scheduler is DDIMScheduler else {"timestep_spacing": "linspace"}
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **options)
    return pipeline


def call(pipeline: Any, scale: float = 5.0, **options: Any) -> torch.Tensor:
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    images: torch.Tensor = pipeline(
        [PROMPT] * 2, negative_prompt=["a dog"] * 2, height=64, width=64, num_inference_steps=4, guidance_scale=scale,
        generator=generators, output_type="pt", **options,
    ).images  # fmt: skip
    return images


def differ(first: torch.Tensor, second: torch.Tensor) -> bool:
    """By more than rounding."""
    return float((first - second).abs().max()) > 10 * PICTURES


@pytest.mark.parametrize(("sampler", "scheduler"), [("ddim", DDIMScheduler), ("euler", EulerDiscreteScheduler)])
@pytest.mark.parametrize(("scale", "branches"), [(1.0, "prompted"), (5.0, "prompted"), (5.0, "both")])
def test_a_pipeline_gives_what_our_sampler_gives(
    folder: Path, backbone: DiffusionBackbone, sampler: Any, scheduler: Any, scale: float, branches: Any
) -> None:
    steering = replace(STEERING, branches=branches, start=0.25)
    sampling = ImageSampling(PROMPT, "a dog", (64, 64), sampler, steps=4, guidance_scale=scale, eta=0.0, seeds=(3, 4))
    ours = sample(backbone, sampling, [goal(backbone)], steering)
    pipeline = plain(folder, scheduler)
    before = call(pipeline, scale)
    with steered(pipeline, backbone, [goal(backbone)], [PROMPT], steering, ["a dog"]) as errors:
        for _ in range(2):  # a second call begins anew
            torch.testing.assert_close(call(pipeline, scale), ours.images, atol=PICTURES, rtol=0)
            assert sorted(errors) == [1]
            torch.testing.assert_close(errors[1], ours.errors[1], atol=0, rtol=1e-4)
    assert differ(before, ours.images)
    assert torch.equal(call(pipeline, scale), before)  # and nothing stays behind


def test_a_control_net_steers_beside_readouts(folder: Path, backbone: DiffusionBackbone, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ControlNetModel.from_unet(plain(folder).unet, conditioning_embedding_out_channels=(8, 16, 16, 16))
    for convolution in net.controlnet_down_blocks:  # they begin at zero, and would do nothing
        torch.nn.init.normal_(convolution.weight, std=0.3)
    net.save_pretrained(tmp_path / "net")
    loaded = ControlNetModel.from_pretrained(tmp_path / "net")
    pipeline = StableDiffusionControlNetPipeline.from_pipe(plain(folder), controlnet=loaded)
    pipeline.set_progress_bar_config(disable=True)
    options = {"image": torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))}
    alone = call(pipeline, **options)
    assert differ(alone, call(plain(folder)))
    with steered(pipeline, backbone, [goal(backbone)], [PROMPT], STEERING) as errors:
        both = call(pipeline, **options)
    assert sorted(errors) == [0, 1]
    assert differ(both, alone)


def test_an_adapter_steers_beside_readouts(folder: Path, backbone: DiffusionBackbone, tmp_path: Path) -> None:
    torch.manual_seed(0)
    widths = plain(folder).unet.config.block_out_channels
    adapter = T2IAdapter(3, list(widths), num_res_blocks=1, downscale_factor=8, adapter_type="full_adapter")
    adapter.save_pretrained(tmp_path / "adapter")
    loaded = T2IAdapter.from_pretrained(tmp_path / "adapter")
    pipeline = StableDiffusionAdapterPipeline.from_pipe(plain(folder), adapter=loaded)
    pipeline.set_progress_bar_config(disable=True)
    options = {"image": torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))}
    alone = torch.as_tensor(call(pipeline, **options))  # whatever is asked for, this pipeline gives arrays
    assert not torch.allclose(alone.permute(0, 3, 1, 2), call(plain(folder)), atol=1e-3)
    with steered(pipeline, backbone, [goal(backbone)], [PROMPT], STEERING) as errors:
        both = torch.as_tensor(call(pipeline, **options))
    assert sorted(errors) == [0, 1]
    assert differ(both, alone)


def test_another_unet_is_refused(folder: Path, tmp_path: Path, backbone: DiffusionBackbone) -> None:
    other = plain(save_pipeline(tmp_path / "other", seed=1))
    with (
        pytest.raises(ConfigError, match="is not the one that the heads were trained on"),
        steered(other, backbone, [], [PROMPT], STEERING),
    ):
        pass


def test_steering_twice_at_once_is_refused(folder: Path, backbone: DiffusionBackbone) -> None:
    pipeline = plain(folder)
    with (
        steered(pipeline, backbone, [], [PROMPT], STEERING),
        pytest.raises(ConfigError, match="steered already"),
        steered(pipeline, backbone, [], [PROMPT], STEERING),
    ):
        pass
