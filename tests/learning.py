"""A few steps of learning, for tests that ask whether a loss falls; and what interrupts one."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class StoppedError(Exception):
    """Stands for a kill in the middle of a step."""


def losses_of(loss: Callable[[], Tensor], parameters: Iterable[Any], rate: float, steps: int) -> list[float]:
    """What `loss` is before each step of AdamW on `parameters` (or groups of them)."""
    optimiser, found = torch.optim.AdamW(parameters, rate), []
    for _ in range(steps):
        value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        found.append(float(value.detach()))
    return found
