"""What computes: for Lightning, and in words for the cards of runs and backbones."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Machine:
    """Where training runs: Lightning's accelerator, devices of each node, precision, loader processes, nodes.

    More than one device or node: as many processes, each with its share of the global batch.
    """

    accelerator: str = "cpu"
    devices: int | list[int] = 1
    precision: str = "32-true"
    num_workers: int = 0
    num_nodes: int = 1

    @property
    def strategy(self) -> Any:
        """Lightning's: one device, or distributed data-parallel training (gloo on a CPU, NCCL on GPUs)."""
        if self.num_nodes == 1 and (self.devices == 1 or isinstance(self.devices, list)):
            return "auto"
        from lightning.pytorch.strategies import DDPStrategy

        # Optimizer groups take turns, so not all parameters have a gradient; buffers change alike in all processes.
        return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def hardware(device: str) -> str:
    """The processor or GPU of a device, for example `Intel(R) Xeon(R) Processor @ 2.50GHz, 2 cores, 2 threads`."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def processor_name() -> str:
    """The processor's model as Linux reports it, or the machine's architecture."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
