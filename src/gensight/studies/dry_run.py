"""`--dry-run`: everything is built and a few batches are run, to measure time and memory; nothing is written."""

import time
from dataclasses import dataclass

import psutil
import torch

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import build_optimisation, choose_device
from gensight.config.schema import RunConfig
from gensight.engine.module import MethodModule
from gensight.files.progress import clock
from gensight.loading.stream import CaseBatches
from gensight.methods.base import Method
from gensight.methods.loss import total_loss

NUM_STEPS = 4


@dataclass(frozen=True, eq=False)
class Measured:
    """What a few training steps of a recipe took."""

    method: Method
    num_items: int
    seconds_per_step: float
    loss: float


@dataclass(frozen=True)
class DryRun:
    """What a training will learn from, and what it will take of time and memory.

    Attributes:
        data: Kind of the data set.
        num_samples: Part -> number of samples.
        num_items: Training items.
        keypoints: Name of the skeleton and number of its keypoints; None where the run has no keypoints.
        num_trained, num_parameters: Numbers of parameters.
        backbone: Its kind.
        batch_size, steps: Of the recipe.
        device: Where it was measured.
        seconds_per_step: For one batch, without a feature cache.
        loss: Of the last batch.
        memory_bytes: Of the device, or of this process.
    """

    data: str
    num_samples: dict[str, int]
    num_items: int
    keypoints: tuple[str, int] | None
    num_trained: int
    num_parameters: int
    backbone: str
    batch_size: int
    steps: int
    device: str
    seconds_per_step: float
    loss: float
    memory_bytes: int

    def text(self) -> str:
        """As lines for the terminal."""
        parts = ", ".join(f"{name} {number}" for name, number in self.num_samples.items())
        lines = [f"data        {self.data}: {parts} samples; {self.num_items} training items"]
        if self.keypoints is not None:
            lines.append(f"keypoints   {self.keypoints[0]}: {self.keypoints[1]}")
        step, total = self.seconds_per_step, clock(self.seconds_per_step * self.steps)
        return "\n".join([
            *lines,
            f"model       {self.num_trained:,} of {self.num_parameters:,} parameters trained; backbone {self.backbone}",
            f"one step    {step:.2f} s for a batch of {self.batch_size} on {self.device}, loss {self.loss:.4f}",
            f"memory      {self.memory_bytes / 1e9:.2f} GB",
            f"{self.steps} steps  {total} without a feature cache",
        ])  # fmt: skip


def measure_steps(experiment: Experiment, device: str) -> Measured:
    """Builds the method and runs a few training steps, without a feature cache; the first does not count."""
    config = experiment.config
    backbone = build_backbone(config)
    method = build_method(config, backbone, experiment.encoding)
    method.to(device).train()
    cases = experiment.training_cases()
    module = MethodModule(method, build_optimisation(config.training))
    optimiser = module.configure_optimizers()[0][0]
    batches = iter(CaseBatches(cases, experiment.draw_order(cases)).from_step(0))
    seconds = []
    for _ in range(NUM_STEPS):
        begun = time.perf_counter()
        loss = total_loss(method.losses(next(batches).to(device)))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begun)
    return Measured(method, len(cases), min(seconds[1:]), float(loss.detach()))


def dry_run(config: RunConfig, device: str = "auto") -> DryRun:
    """Opens a recipe's data, builds its method and measures a few training steps."""
    device = choose_device(device)
    experiment = Experiment.open(resolve_preset(config)).with_steps()
    measured = measure_steps(experiment, device)
    splits, skeleton, config = experiment.splits, experiment.skeleton, experiment.config
    named = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    parameters = list(measured.method.parameters())
    return DryRun(
        data=config.data.kind,
        num_samples={name: len(reader) for name, reader in named if reader is not None},
        num_items=measured.num_items,
        keypoints=None if skeleton is None else (skeleton.name, len(skeleton)),
        num_trained=sum(p.numel() for p in parameters if p.requires_grad),
        num_parameters=sum(p.numel() for p in parameters),
        backbone=config.backbone.kind,
        batch_size=config.training.batch_size,
        steps=config.training.steps,
        device=device,
        seconds_per_step=measured.seconds_per_step,
        loss=measured.loss,
        memory_bytes=_memory(device),
    )


def _memory(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    resident: int = psutil.Process().memory_info().rss
    return resident
