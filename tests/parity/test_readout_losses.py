"""The loss of drawn images and the time embedding, against plain transcriptions of Luo et al. (CVPR 2024)."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gensight.backbones.diffusion import load_diffusion
from gensight.encodings.base import OutputSpec
from gensight.methods.loss import total_loss
from gensight.methods.readout.method import Part, Readout
from gensight.samples import Batch
from gensight.transforms.views import whole_frame
from tests.pipelines import save_pipeline

SIZE = (32, 32)


def made(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawings(seed: int = 0) -> Tensor:
    """Two pictures (2, 3, 8, 8): lines of one colour each on black, the second with more of them; JPEG-like dimness."""
    picture = torch.zeros(2, 3, 8, 8)
    picture[0, 0, 3] = 0.8
    picture[1, 1, 2:6] = 0.5
    picture[1, 2, :, 4] = 1.0
    picture[1, 0, 7, 7] = 5e-4  # darker than what counts as drawn by our own rule
    return picture


def plain_sparse(values: Tensor, target: Tensor) -> float:
    """In the range from -0.5 to 0.5: half the mean over values at the minimum, half over the others, of the batch."""
    empty, drawn = [], []
    for value, wanted in zip((values + 0.0).flatten().tolist(), (target - 0.5).flatten().tolist(), strict=True):
        (empty if wanted == -0.5 else drawn).append((value - wanted) ** 2)
    return sum(empty) / len(empty) / 2 + sum(drawn) / len(drawn) / 2


class Given(Readout):
    """A readout whose head answers with given values."""

    values: Tensor

    def _read(self, batch: Batch) -> dict[str, dict[str, Tensor]]:
        return {"pose": {"picture": self.values}}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")


def sparse_total(pipeline: Path, loss: Any, values: Tensor, target: Tensor) -> float:
    part = Part({"picture": OutputSpec(3, "sparse-image")}, 4)
    method = Given(load_diffusion(pipeline), {"pose": part}, projection=16, bottleneck=8, widths=(8, 8), loss=loss)
    method.values = values
    views = [(whole_frame(SIZE, SIZE),)] * len(target)
    weight = torch.ones(len(target), 1, 1, 1)
    batch = Batch([], views, torch.arange(len(target)), (), None, {"picture": target, "picture_weight": weight})
    return float(total_loss(method.losses(batch)))


def test_the_published_loss_of_drawings_within_1e_6(pipeline: Path) -> None:
    values, target = made(2, 3, 8, 8).tanh(), drawings()
    assert sparse_total(pipeline, "published", values, target) == pytest.approx(plain_sparse(values, target), rel=1e-6)


def test_the_default_loss_of_drawings_differs_by_percents(pipeline: Path) -> None:
    values, target = made(2, 3, 8, 8).tanh(), drawings()
    ratio = sparse_total(pipeline, "mse", values, target) / plain_sparse(values, target)
    assert abs(ratio - 1) > 0.01


def test_the_time_embedding_within_2e_6(pipeline: Path) -> None:
    """Sines and cosines (Ho et al., 2020), then two layers with a SiLU; `reversed` gives that of 1000 - t."""
    for choice, t in (("network", 261), ("reversed", 739)):
        backbone = load_diffusion(pipeline, time_embedding=choice)  # type: ignore[arg-type]
        with torch.no_grad():
            got = backbone.features(torch.rand(1, 3, 32, 32), timestep=261).time_embedding
        network = backbone.unet.time_embedding
        half = network.linear_1.in_features // 2
        angles = [t * math.exp(-math.log(10_000) * i / half) for i in range(half)]
        waves = torch.tensor([math.cos(a) for a in angles] + [math.sin(a) for a in angles])
        with torch.no_grad():
            hidden = network.linear_1.weight @ waves + network.linear_1.bias
            hidden = hidden / (1 + torch.exp(-hidden))
            expected = network.linear_2.weight @ hidden + network.linear_2.bias
        assert got is not None
        torch.testing.assert_close(got[0], expected, atol=2e-6, rtol=0)
