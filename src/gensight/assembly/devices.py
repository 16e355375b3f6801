"""Where a recipe is computed, and where its run goes."""

from pathlib import Path

import torch

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError


def choose_device(device: str) -> str:
    """`auto` -> the best device here. Raises ConfigError for one that this machine lacks."""
    available = ["cpu"]
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        available.append("mps")
    if device == "auto":
        return "cuda" if "cuda" in available else available[-1]
    if device not in available:
        cpu_build = device.startswith("cuda") and torch.version.cuda is None
        build = f": its torch {torch.__version__} is built without CUDA" if cpu_build else ""
        raise ConfigError(
            f"this machine has no device {device!r}{build}",
            choices=["auto", *available],
            where="--device",
            hint="with an Nvidia card, install a CUDA build of torch: pytorch.org/get-started" if cpu_build else None,
        )
    return device


def default_run_folder(config: RunConfig) -> Path:
    return Path("runs") / config.name
