"""Randomness that belongs to an item, not to a batch: drawn from (seed, step, item).

Every item of a batch carries an int64 key. All of its noise and timesteps come from that key and a stream number, so
a resumed run, another batch size or another number of processes draws the same values for the same item.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gensight.files.hashing import mix


def item_keys(seed: int, step: int, items: Sequence[int]) -> Tensor:
    """int64 (B,): the keys of a batch's items at one training step."""
    return torch.tensor([mix(seed, step, item) for item in items], dtype=torch.int64)


def _generators(keys: Tensor, stream: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(mix(key, stream)) for key in keys.tolist()]


def item_noise(keys: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Standard normal noise of each item.

    Args:
        keys: int64 (B,).
        shape: Shape of one item's noise, without the batch axis.
        stream: Separates independent samples for the same item.

    Returns:
        float32 (B, *shape), on the CPU: the same numbers on every device.
    """
    values = [torch.randn(tuple(shape), generator=generator) for generator in _generators(keys, stream)]
    return torch.stack(values) if values else torch.empty(0, *shape)


def item_uniform(keys: Tensor, stream: int = 0) -> Tensor:
    """float32 (B,) in [0, 1): one uniform sample per item."""
    values = [torch.rand((), generator=generator) for generator in _generators(keys, stream)]
    return torch.stack(values) if values else torch.empty(0)


def item_timesteps(keys: Tensor, low: int, high: int, stream: int = 0) -> Tensor:
    """int64 (B,): one timestep per item, uniform over low..high - 1. Raises ValueError for an empty range."""
    if high <= low:
        raise ValueError(f"timesteps are drawn from low..high - 1, got low={low} and high={high}")
    values = [torch.randint(low, high, (), generator=generator) for generator in _generators(keys, stream)]
    return torch.stack(values) if values else torch.empty(0, dtype=torch.int64)
