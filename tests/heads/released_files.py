"""Writes files in the format of Readout Guidance's released heads, with random tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def released_tensors(
    dims: Sequence[int],
    time_channels: int,
    *,
    projection: int = 128,
    sequential: bool = False,
    channels: int | None = 3,
    num_timesteps: int = 1,
    idle_time_layers: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inner = projection // 4

    def draw(*shape: int) -> Tensor:
        fan_in = max(1, torch.Size(shape[1:]).numel())
        return torch.randn(*shape, generator=generator) / fan_in**0.5

    tensors = {"mixing_weights": draw(len(dims) * num_timesteps)}
    for index, width in enumerate(dims):
        block = f"bottleneck_layers.{index}" + (".0" if sequential else "")
        kernels = {
            "shortcut": (projection, width, 1, 1),
            "conv1": (inner, width, 1, 1),
            "conv2": (inner, inner, 3, 3),
            "conv3": (projection, inner, 1, 1),
        }
        for name, shape in kernels.items():
            tensors[f"{block}.{name}.weight"] = draw(*shape)
            tensors[f"{block}.{name}.norm.weight"] = 1 + draw(shape[0]) / 3
            tensors[f"{block}.{name}.norm.bias"] = draw(shape[0]) / 3
        if not sequential or idle_time_layers:
            tensors[f"{block}.emb_layers.weight"] = draw(inner, time_channels)
            tensors[f"{block}.emb_layers.bias"] = draw(inner)
    if channels is not None:
        for number, shape in ((0, (128, projection, 3, 3)), (2, (32, 128, 3, 3)), (4, (channels, 32, 1, 1))):
            tensors[f"output_head.{number}.weight"] = draw(*shape)
            tensors[f"output_head.{number}.bias"] = draw(shape[0]) / 3
    return tensors


def released_file(
    path: Path,
    dims: Sequence[int],
    time_channels: int,
    *,
    projection: int = 128,
    sequential: bool = False,
    channels: int | None = 3,
    tanh: bool = True,
    num_timesteps: int = 1,
    idle_time_layers: bool = False,
    seed: int = 0,
    config: dict[str, Any] | None = None,
) -> Path:
    """Saves a head at `path`; `config` changes what it says of itself."""
    tensors = released_tensors(
        dims, time_channels, projection=projection, sequential=sequential, channels=channels,
        num_timesteps=num_timesteps, idle_time_layers=idle_time_layers, seed=seed,
    )  # fmt: skip
    config_content = {
        "model_id": "runwayml/stable-diffusion-v1-5",
        "dims": list(dims),
        "projection_dim": projection,
        "num_timesteps": 1000,
        "save_timestep": list(range(num_timesteps)),
        "aggregation_kwargs": {
            "use_output_head": channels is not None,
            "output_head_channels": 3 if channels is None else channels,
            "output_head_act": tanh,
            "bottleneck_sequential": sequential,
        },
        **(config or {}),
    }
    torch.save({"step": 5000, "config": config_content, "aggregation_network": tensors}, path)
    return path
