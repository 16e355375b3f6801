"""Training by several processes: who writes, and how they agree.

Lightning starts the processes itself (`training.devices`), or finds itself started by `torchrun` or by SLURM's `srun`,
which both number the processes by environment variables.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and no command needs them only to know which process writes
    import lightning as L
    from torch import Tensor

_RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


def is_first_process() -> bool:
    """Whether this process writes the run folder; the others only lend their gradients."""
    return all(int(os.environ.get(name) or 0) == 0 for name in _RANKS)


def any_process(trainer: "L.Trainer", mine: bool) -> bool:
    """Whether it holds in any process: a decision to stop is everyone's, or the others would wait forever."""
    if trainer.world_size == 1:
        return mine
    return bool(trainer.strategy.reduce_boolean_decision(mine, all=False))


def sum_over_processes(values: "Tensor") -> "Tensor":
    """The tensors of all processes, added up; all must call it in the same order."""
    import torch.distributed

    total = values.clone()
    torch.distributed.all_reduce(total)
    return total
