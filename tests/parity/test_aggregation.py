"""Aggregation of layers and output heads, against the formula of Luo et al. (CVPR 2024) in plain functions of torch."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gensight.backbones.base import Features, Layer
from gensight.heads.released import read_released_head
from tests.heads.released_files import released_file

DIMS = (40, 24, 24, 8)
LAYERS = tuple(Layer(str(i), dim, stride) for i, (dim, stride) in enumerate(zip(DIMS, (32, 16, 16, 8), strict=True)))
TIME = 20
GRID = (8, 12)


def by_the_book(
    tensors: dict[str, Tensor], levels: list[dict[str, Tensor]], embedding: Tensor, prefix: str, tanh: bool | None
) -> Tensor:
    """The reference's forward pass; `prefix` is `.0` for sequential blocks, `tanh` None without an output head."""
    maps = [
        F.interpolate(maps, size=GRID, mode="bilinear", align_corners=False)
        for level in levels
        for maps in level.values()
    ]
    shares = F.softmax(tensors["mixing_weights"], dim=0)
    total = torch.zeros(())
    for i, x in enumerate(maps):
        block = f"bottleneck_layers.{i % len(DIMS)}{prefix}"

        def convolve(name: str, x: Tensor, block: str = block) -> Tensor:
            weight = tensors[f"{block}.{name}.weight"]
            y = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
            return F.group_norm(y, 32, tensors[f"{block}.{name}.norm.weight"], tensors[f"{block}.{name}.norm.bias"])

        hidden = convolve("conv1", x).relu()
        if not prefix:
            time = F.linear(embedding, tensors[f"{block}.emb_layers.weight"], tensors[f"{block}.emb_layers.bias"])
            hidden = hidden + time.relu()[:, :, None, None]
        hidden = convolve("conv2", hidden).relu()
        total = total + shares[i] * (convolve("conv3", hidden) + convolve("shortcut", x)).relu()
    if tanh is None:
        return total
    for index, padding in ((0, 1), (2, 1), (4, 0)):
        head = f"output_head.{index}"
        total = F.conv2d(total, tensors[f"{head}.weight"], tensors[f"{head}.bias"], padding=padding)
        total = F.silu(total) if index < 4 else total
    return total.tanh() if tanh else total


def level(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        la.name: torch.randn(2, la.channels, 64 // la.stride, 96 // la.stride, generator=generator) for la in LAYERS
    }


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(("channels", "tanh"), [(3, True), (18, False), (None, None)])
@pytest.mark.parametrize("num_timesteps", [1, 3])
def test_aggregation_and_heads_within_1e_5(
    tmp_path: Path, sequential: bool, channels: int | None, tanh: bool | None, num_timesteps: int
) -> None:
    path = released_file(
        tmp_path / "head.pt", DIMS, TIME, sequential=sequential, channels=channels, tanh=bool(tanh),
        num_timesteps=num_timesteps,
    )  # fmt: skip
    head = read_released_head(path)
    aggregation, maps = head.networks(LAYERS)
    embedding = torch.randn(2, TIME, generator=torch.Generator().manual_seed(9))
    levels = [level(seed) for seed in range(num_timesteps)]
    with torch.no_grad():
        result = aggregation([Features(one, None if sequential else embedding) for one in levels], GRID)
        result = result if maps is None else maps(result)
        tensors = torch.load(path, weights_only=True)["aggregation_network"]
        expected = by_the_book(tensors, levels, embedding, ".0" if sequential else "", tanh)
    assert result.shape == (2, channels or 128, *GRID)
    assert expected.std() > 0.01
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_aggregation_at_the_published_width_within_1e_5(tmp_path: Path) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME, projection=384, channels=None)
    aggregation, _ = read_released_head(path).networks(LAYERS)
    one, embedding = level(0), torch.randn(2, TIME)
    tensors = torch.load(path, weights_only=True)["aggregation_network"]
    with torch.no_grad():
        result = aggregation(Features(one, embedding), GRID)
        expected = by_the_book(tensors, [one], embedding, "", None)
    assert result.shape == (2, 384, *GRID)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
