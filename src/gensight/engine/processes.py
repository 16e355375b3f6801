"""Training by several processes: who writes, and how they agree.

Lightning starts the processes itself (`training.devices`), or finds itself started by `torchrun` or by SLURM's `srun`,
which both say by environment variables which process this is.
"""

import os

import lightning as L
import torch
from torch import Tensor

_RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


def is_first_process() -> bool:
    """Whether this process writes the run folder; the others only lend their gradients."""
    return all(int(os.environ.get(name) or 0) == 0 for name in _RANKS)


def any_process(trainer: L.Trainer, mine: bool) -> bool:
    """Whether it holds in any process: a decision to stop is everyone's, or the others would wait forever."""
    if trainer.world_size == 1:
        return mine
    return bool(trainer.strategy.reduce_boolean_decision(mine, all=False))


def mean_over_processes(values: dict[str, Tensor], world_size: int) -> dict[str, Tensor]:
    """Scalars, each averaged over the processes; the same dictionary with one process."""
    if world_size == 1 or not values:
        return values
    stacked = torch.stack([value.float() for value in values.values()])
    torch.distributed.all_reduce(stacked)
    return dict(zip(values, stacked / world_size, strict=True))
