"""The loop equals diffusers' own without goals, and its gradient equals finite differences."""

from pathlib import Path

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)

from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion
from gensight.diffusion.sampling import SamplerName
from gensight.encodings.base import OutputSpec
from gensight.errors import RunError
from gensight.guidance.goals import SpatialGoal
from gensight.guidance.heads import GuidingHead, guiding_head
from gensight.guidance.inversion import invert
from gensight.guidance.sampling import ImageSampling, sample
from gensight.guidance.steering import Mover, Steering, goal_gradient
from gensight.methods.readout.method import Part, Readout
from tests.pipelines import save_pipeline
from tests.tolerances import PICTURES

SIZE = (64, 64)
LAST = {"timestep_spacing": "linspace"}  # from the last level on, where the pipeline's own DDIM has `leading` steps
SCHEDULERS = {
    "ddim": lambda config: DDIMScheduler.from_config(config, clip_sample=False),  # as pipelines set it for every model
    "dpm-solver++": lambda config: DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", **LAST
    ),
    "euler": lambda config: EulerDiscreteScheduler.from_config(config, **LAST),
    "euler-ancestral": lambda config: EulerAncestralDiscreteScheduler.from_config(config, **LAST),
    "ancestral": lambda config: DDPMScheduler.from_config(config, clip_sample=False),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")


@pytest.fixture(scope="module")
def backbone(folder: Path) -> DiffusionBackbone:
    return load_diffusion(folder)


def head(backbone: DiffusionBackbone, seed: int = 0) -> GuidingHead:
    torch.manual_seed(seed)
    part = Part({"depth": OutputSpec(1, "dense-image")}, 8, "random")
    return guiding_head(Readout(backbone, {"depth": part}, projection=16, bottleneck=8, widths=(8, 8)).eval(), "run")


def goal(backbone: DiffusionBackbone) -> SpatialGoal:
    return SpatialGoal(head(backbone), torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1)))


def moved_once(latents: torch.Tensor, gradient: torch.Tensor, steering: Steering) -> torch.Tensor:
    mover = Mover(latents, steering)
    mover.move(gradient)
    return mover.latents


@pytest.mark.parametrize("sampler", SCHEDULERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_without_goals_it_is_the_pipelines_own_result(folder: Path, sampler: SamplerName, weighted: bool) -> None:
    backbone = load_diffusion(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = SCHEDULERS[sampler](pipeline.scheduler.config)
    sampling = ImageSampling("a cat", "a dog", SIZE, sampler, steps=4, guidance_scale=5.0, eta=0.7, seeds=(3, 4))
    goals = [goal(backbone)] if weighted else []
    ours = sample(backbone, sampling, goals, Steering(weight=0.0)).images
    theirs = pipeline(
        ["a cat"] * 2,
        negative_prompt=["a dog"] * 2,
        height=SIZE[0],
        width=SIZE[1],
        num_inference_steps=4,
        guidance_scale=5.0,
        eta=0.7,
        generator=[torch.Generator().manual_seed(seed) for seed in (3, 4)],
        output_type="pt",
    ).images
    torch.testing.assert_close(ours, theirs, atol=PICTURES, rtol=0)


def test_without_goals_it_is_the_pipelines_own_result_for_sdxl(tmp_path: Path) -> None:
    folder = save_pipeline(tmp_path / "xl", "xl")
    backbone = load_diffusion(folder)
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    ours = sample(backbone, ImageSampling("a cat", "a dog", SIZE, steps=3, eta=0.0, seeds=(0,))).images
    generator = torch.Generator().manual_seed(0)
    theirs = pipeline(
        "a cat", negative_prompt="a dog", height=64, width=64, num_inference_steps=3, guidance_scale=7.5,
        generator=generator, output_type="pt",
    ).images  # fmt: skip
    torch.testing.assert_close(ours, theirs, atol=PICTURES, rtol=0)


def test_the_gradient_equals_finite_differences(folder: Path) -> None:
    backbone = load_diffusion(folder)
    backbone.double()
    backbone.vae.double()
    spatial_goal = goal(backbone)
    spatial_goal = SpatialGoal(
        GuidingHead(spatial_goal.head.method.double(), "depth", "depth"), spatial_goal.control.double()
    )
    latents = torch.randn(1, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    text = backbone.embed_text(["a cat"])
    gradient, _ = goal_gradient(backbone, [spatial_goal], latents, 300, text, 0, SIZE)
    # The range that maps are brought to is a constant of the step: extreme latents are left where they are.
    flat = latents.flatten()
    middling = [i for i in range(0, 256, 37) if i not in (int(flat.argmax()), int(flat.argmin()))]
    for index in middling:
        ends = []
        for sign in (1, -1):
            moved = flat.clone()
            moved[index] += sign * 1e-5
            ends.append(float(goal_gradient(backbone, [spatial_goal], moved.view_as(latents), 300, text, 0, SIZE)[1]))
        assert float(gradient.flatten()[index]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_low_memory_gives_the_same_gradient(backbone: DiffusionBackbone) -> None:
    latents, text = torch.randn(1, 4, 8, 8), backbone.embed_text(["a cat"])
    plain, _ = goal_gradient(backbone, [goal(backbone)], latents, 300, text, 0, SIZE)
    with backbone.checkpointed():
        low, _ = goal_gradient(backbone, [goal(backbone)], latents, 300, text, 0, SIZE)
    scale = float(plain.abs().max())  # a sum's error follows its terms, which may cancel: 1e-5 is some 80 eps
    torch.testing.assert_close(low, plain, atol=1e-5 * scale, rtol=0)


def test_a_move_lowers_the_error(backbone: DiffusionBackbone) -> None:
    spatial_goal, latents, text = goal(backbone), torch.randn(2, 4, 8, 8), backbone.embed_text(["a cat"]).expand(2)

    def error(at: torch.Tensor) -> torch.Tensor:
        """Without the range of the latents, which a move may widen."""
        flat = at.flatten(1)
        return goal_gradient(backbone, [spatial_goal], at, 300, text, 0, SIZE)[1] / (flat.amax(1) - flat.amin(1)) ** 2

    gradient, _ = goal_gradient(backbone, [spatial_goal], latents, 300, text, 0, SIZE)
    for normalisation in ("adam", "unit"):
        moved = moved_once(latents, gradient, Steering(weight=1e-3, normalisation=normalisation))  # type: ignore[arg-type]
        assert (error(moved) < error(latents)).all()


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++", "euler"])
def test_the_stated_share_is_steered(backbone: DiffusionBackbone, sampler: SamplerName) -> None:
    sampling = ImageSampling("a cat", "", SIZE, sampler, steps=6, guidance_scale=1.0, eta=0.0, seeds=(0, 1))
    guided = sample(backbone, sampling, [goal(backbone)], Steering(share=0.5, inner_steps=2), keep_latents=True)
    assert sorted(guided.errors) == [0, 1, 2]
    assert [error.shape for error in guided.errors.values()] == [(2,)] * 3
    assert len(guided.latents) == len(guided.timesteps) == 6
    assert (guided.images - sample(backbone, sampling).images).abs().max() > 10 * PICTURES


@pytest.mark.parametrize("normalisation", ["adam", "unit", "raw"])
def test_moves_have_the_stated_length(normalisation: str) -> None:
    latents, gradient = torch.randn(2, 4, 8, 8), 7 * torch.randn(2, 4, 8, 8)
    moved = moved_once(latents, gradient, Steering(weight=0.1, normalisation=normalisation)) - latents  # type: ignore[arg-type]
    for one in range(2):
        step, size = moved[one], latents[one].norm()
        expected = {"adam": 0.1 * 16.0, "unit": 0.1 * size, "raw": 0.1 * gradient[one].norm()}[normalisation]
        assert float(step.norm()) == pytest.approx(float(expected), rel=1e-4)
        assert float((step * gradient[one]).sum()) < 0
    with pytest.raises(RunError, match="not finite"):
        moved_once(latents, gradient * float("nan"), Steering())


def test_an_inverted_image_comes_back(folder: Path) -> None:
    """Where the U-Net predicts no noise, DDIM runs backwards exactly, and only the autoencoder loses anything."""
    backbone = load_diffusion(folder)
    backbone.unet.conv_out.weight.data.zero_()
    backbone.unet.conv_out.bias.data.zero_()
    image = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0))
    inversion = invert(backbone, image, "a cat", 10)
    reconstructed = backbone.decode_latent(backbone.encode_image(image[None])).clamp(0, 1)[0]
    expected = -10 * torch.log10((reconstructed - image).square().mean())
    assert inversion.psnr == pytest.approx(float(expected), abs=0.05)
    sampled = sample(
        backbone, ImageSampling("a cat", size=SIZE, steps=10, guidance_scale=1.0, eta=0.0), keep_latents=True
    )
    assert inversion.timesteps == list(sampled.timesteps.values())
    assert len(inversion.latents) == 10
