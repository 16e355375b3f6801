"""One guided step of each kind on pipelines of the real sizes, with random weights. Prints time and memory."""

import resource
import shutil
import time
from pathlib import Path

import pytest
import torch

from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion
from gensight.encodings.base import OutputSpec
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, SpatialGoal
from gensight.guidance.heads import GuidingHead, guiding_head
from gensight.guidance.sampling import ImageSampling, sample
from gensight.guidance.steering import Steering
from gensight.methods.readout.method import Part, Readout
from tests.pipelines import save_pipeline

SIDE, STRIDE, PROJECTION = 512, 8, 64
KINDS = {
    "spatial": OutputSpec(1, "dense-image"),
    "drag": OutputSpec(0, "matching"),
    "appearance": OutputSpec(0, "appearance"),
}


def _goal(kind: str, head: GuidingHead) -> Goal:
    grid = (SIDE // STRIDE, SIDE // STRIDE)
    if kind == "spatial":
        return SpatialGoal(head, torch.rand(1, *grid))
    reference = {0: torch.randn(1, PROJECTION, *grid)}
    if kind == "drag":
        return DragGoal(head, reference, torch.tensor([[100.0, 100]]), torch.tensor([[300.0, 200]]))
    return AppearanceGoal(head, reference)


def _guide(backbone: DiffusionBackbone, kind: str) -> tuple[float, torch.Tensor]:
    """Seconds and the moved image of one guided step."""
    part = Part({kind: KINDS[kind]}, STRIDE, "random")
    head = guiding_head(Readout(backbone, {kind: part}, projection=PROJECTION).eval(), "random weights")
    sampling = ImageSampling(prompt="a cat", size=(SIDE, SIDE), steps=1, guidance_scale=1.0, eta=0.0)
    begun = time.perf_counter()
    guided = sample(backbone, sampling, [_goal(kind, head)], Steering(weight=0.05, share=1.0, memory="low"))
    assert list(guided.errors) == [0]
    assert torch.isfinite(guided.errors[0]).all()
    return time.perf_counter() - begun, guided.images


@pytest.mark.slow
@pytest.mark.parametrize(("family", "dtype"), [("sd", "float32"), ("xl", "bfloat16")])
def test_one_guided_step_of_each_kind(tmp_path: Path, family: str, dtype: str) -> None:
    folder = save_pipeline(tmp_path / family, family, full_size=True, dtype=torch.bfloat16)
    backbone = load_diffusion(folder, dtype=dtype)
    shutil.rmtree(folder)
    images = []
    for kind in KINDS:
        seconds, image = _guide(backbone, kind)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"\n{family} in {dtype}, {SIDE} px, {kind}: {seconds:.0f} s with decoding, peak {peak:.1f} GB", flush=True
        )
        assert image.shape == (1, 3, SIDE, SIDE)
        assert torch.isfinite(image).all()
        images.append(image)
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[1], images[2])
