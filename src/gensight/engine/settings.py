"""A recipe's `training` section and the user's device as settings of the engine."""

from pathlib import Path

import torch

from gensight.config.schema import RunConfig, TrainingConfig
from gensight.engine.fit import Machine
from gensight.engine.module import Optimisation
from gensight.errors import ConfigError


def build_optimisation(config: TrainingConfig) -> Optimisation:
    return Optimisation(
        steps=config.steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup_steps,
        schedule=config.schedule,
        clip=config.clip,
        accumulate=config.accumulate,
        ema=config.ema,
    )


def build_machine(config: TrainingConfig, device: str) -> Machine:
    """Lightning's settings for `cpu`, `cuda`, `cuda:N` or `mps`."""
    kind, _, number = device.partition(":")
    precision = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}[config.precision]
    devices = [int(number)] if number else 1
    return Machine("gpu" if kind == "cuda" else kind, devices, precision, config.workers)


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
        raise ConfigError(f"this machine has no device {device!r}", choices=["auto", *available], where="--device")
    return device


def default_run_folder(config: RunConfig) -> Path:
    return Path("runs") / config.name
