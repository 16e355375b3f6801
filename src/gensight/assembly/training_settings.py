"""A recipe's `training` section and the user's device as settings of the engine."""

from dataclasses import fields

from gensight.config.fields import Precision
from gensight.config.schema import TrainingConfig
from gensight.engine.hardware import Machine
from gensight.engine.optimisation import Optimisation
from gensight.errors import ConfigError

_BOTH = {field.name for field in fields(Optimisation)} & set(TrainingConfig.model_fields)


def build_optimisation(config: TrainingConfig) -> Optimisation:
    return Optimisation(**{name: getattr(config, name) for name in _BOTH})


def build_machine(config: TrainingConfig, device: str) -> Machine:
    """Lightning's settings for `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        ConfigError: If a batch cannot be shared by the recipe's processes, or one device is to be several.
    """
    kind, _, number = device.partition(":")
    precision = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}[config.precision]
    processes = config.devices * config.num_nodes
    if number and processes > 1:
        raise ConfigError(
            f"--device {device} is one device, and the recipe trains on {processes}",
            where="training.devices",
            hint=f"choose --device {kind}",
        )
    if config.batch_size % processes:
        raise ConfigError(
            f"training.batch_size={config.batch_size} cannot be shared evenly by {processes} processes",
            where="training.devices",
            hint=f"choose a multiple of {processes}: the batch is the global one",
        )
    devices = [int(number)] if number else config.devices
    accelerator = "gpu" if kind == "cuda" else kind
    return Machine(accelerator, devices, precision, config.workers, config.num_nodes)


def single_machine(device: str, precision: Precision = "float32") -> Machine:
    """Lightning's settings for one device."""
    return build_machine(TrainingConfig(precision=precision), device)
