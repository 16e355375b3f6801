"""What computes, in words, for the cards of runs and backbones."""

import os
import platform
from pathlib import Path

import torch


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
