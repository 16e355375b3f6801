"""`--dry-run`: everything is built and one batch is run; what a training will take is told, and nothing is written."""

import time
from dataclasses import dataclass

import psutil
import torch

from gensight.assembly.backbones import build_backbone
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import build_optimisation
from gensight.config.schema import RunConfig
from gensight.engine.module import MethodModule
from gensight.files.progress import clock
from gensight.loading.stream import BatchStream
from gensight.methods.base import Method
from gensight.methods.loss import total_loss

NUM_STEPS = 4


@dataclass(frozen=True, eq=False)
class Measured:
    """What a few training steps of a recipe took."""

    experiment: Experiment
    method: Method
    num_items: int
    seconds_per_step: float
    loss: float


def measure_steps(config: RunConfig, device: str) -> Measured:
    """Builds everything and runs a few training steps, without a feature cache; the first does not count."""
    experiment = Experiment.open(config)
    backbone = build_backbone(config)
    method = build_method(config, backbone, experiment.encoding)
    method.to(device).train()
    cases = experiment.training_cases()
    module = MethodModule(method, build_optimisation(config.training))
    optimiser = module.configure_optimizers()[0][0]
    batches = iter(BatchStream(cases, experiment.draw_order(cases)))
    seconds = []
    for _ in range(NUM_STEPS):
        begun = time.perf_counter()
        loss = total_loss(method.losses(next(batches).to(device)))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begun)
    return Measured(experiment, method, len(cases), min(seconds[1:]), float(loss.detach()))


def dry_run(config: RunConfig, device: str) -> None:
    """Prints what a training will learn from, and what it will take of time and memory."""
    measured = measure_steps(config, device)
    splits, method, step = measured.experiment.splits, measured.method, measured.seconds_per_step
    parts = [
        f"{name} {len(reader)}"
        for name, reader in (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
        if reader is not None
    ]
    trained = sum(p.numel() for p in method.parameters() if p.requires_grad)
    total = sum(p.numel() for p in method.parameters())
    training, skeleton = config.training, measured.experiment.skeleton
    print(f"data        {config.data.kind}: {', '.join(parts)} samples; {measured.num_items} training items")
    if skeleton is not None:
        print(f"keypoints   {skeleton.name}: {len(skeleton)}")
    print(f"model       {trained:,} of {total:,} parameters trained; backbone {config.backbone.kind}")
    print(f"one step    {step:.2f} s for a batch of {training.batch_size} on {device}, loss {measured.loss:.4f}")
    print(f"memory      {_memory(device) / 1e9:.2f} GB")
    print(f"{training.steps} steps  {clock(step * training.steps)} without a feature cache")


def _memory(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    resident: int = psutil.Process().memory_info().rss
    return resident
