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
from gensight.methods.loss import total_loss
from gensight.readers.shared.label_counts import LabelCounts

NUM_STEPS = 4


@dataclass(frozen=True, eq=False)
class DryRun:
    """What a training will learn from, and what a few of its steps took of time and memory.

    Attributes:
        experiment: The recipe with its data.
        device: Where it was measured.
        num_items: Training items.
        num_trained, num_parameters: Numbers of parameters.
        seconds_per_step: For one batch, without a feature cache.
        loss: Of the last batch.
        memory_bytes: Of the device, or of this process.
    """

    experiment: Experiment
    device: str
    num_items: int
    num_trained: int
    num_parameters: int
    seconds_per_step: float
    loss: float
    memory_bytes: int

    def text(self) -> str:
        """As lines for the terminal."""
        splits, skeleton, config = self.experiment.splits, self.experiment.skeleton, self.experiment.config
        parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        sizes = ", ".join(f"{name} {len(reader)}" for name, reader in parts.items() if reader is not None)
        lines = [f"data        {config.data.kind}: {sizes} samples; {self.num_items} training items"]
        if skeleton is not None:
            lines.append(f"keypoints   {skeleton.name}: {len(skeleton)}")
            warnings = LabelCounts.of_samples(splits.train).warnings() if config.data.kind != "puppets" else ()
            lines += [f"warning     {what} ({where})" for what, where in warnings]
        seconds, training = self.seconds_per_step, config.training
        return "\n".join([
            *lines,
            f"model       {self.num_trained:,} of {self.num_parameters:,} parameters trained; backbone "
            f"{config.backbone.kind}",
            f"one step    {seconds:.2f} s for a batch of {training.batch_size} on {self.device}, loss {self.loss:.4f}",
            f"memory      {self.memory_bytes / 1e9:.2f} GB",
            f"{training.steps} steps  {clock(seconds * training.steps)} without a feature cache",
        ])  # fmt: skip


def measure_steps(experiment: Experiment, device: str) -> DryRun:
    """Builds the method and runs a few training steps, without a feature cache; the first does not count."""
    config = experiment.config
    method = build_method(config, build_backbone(config), experiment.encoding)
    method.to(device).train()
    cases = experiment.training_cases()
    optimiser = MethodModule(method, build_optimisation(config.training)).configure_optimizers()[0][0]
    batches = iter(CaseBatches(cases, experiment.draw_order(cases)).from_step(0))
    seconds = []
    for _ in range(NUM_STEPS):
        begun = time.perf_counter()
        loss = total_loss(method.losses(next(batches).to(device)))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begun)
    parameters = list(method.parameters())
    on_gpu = device.startswith("cuda")
    return DryRun(
        experiment=experiment,
        device=device,
        num_items=len(cases),
        num_trained=sum(p.numel() for p in parameters if p.requires_grad),
        num_parameters=sum(p.numel() for p in parameters),
        seconds_per_step=min(seconds[1:]),
        loss=float(loss.detach()),
        memory_bytes=torch.cuda.max_memory_allocated(device) if on_gpu else psutil.Process().memory_info().rss,
    )


def dry_run(config: RunConfig, device: str = "auto") -> DryRun:
    """Opens a recipe's data, builds its method and measures a few training steps."""
    device = choose_device(device)
    return measure_steps(Experiment.open(resolve_preset(config)).with_steps(), device)
