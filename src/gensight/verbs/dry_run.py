"""`--dry-run`: everything is built and one batch is run; what a training will take is told, and nothing is written."""

import time

import psutil
import torch

from gensight import build
from gensight.config.schema import RunConfig
from gensight.engine.experiment import Experiment
from gensight.engine.module import MethodModule
from gensight.engine.settings import build_optimisation
from gensight.files.progress import clock
from gensight.loading.stream import BatchStream

NUM_STEPS = 3


def dry_run(config: RunConfig, device: str) -> float:
    """Runs a few training steps and prints their time and memory, and what the whole training will take.

    Returns:
        Seconds per training step, without the feature cache.
    """
    experiment = Experiment.open(config)
    backbone = build.build_backbone(config)
    method = build.build_method(config, backbone, experiment.encoding).to(device).train()
    cases = experiment.training_cases()
    module = MethodModule(method, build_optimisation(config.training))
    optimiser = module.configure_optimizers()[0][0]
    batches = iter(BatchStream(cases, experiment.draw_order(cases)))
    seconds = []
    for _ in range(NUM_STEPS):
        begun = time.perf_counter()
        losses = method.losses(next(batches).to(device))
        losses["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begun)
    step = min(seconds[1:])
    parts = [
        f"{name} {len(reader)}"
        for name, reader in (
            ("train", experiment.splits.train),
            ("validation", experiment.splits.validation),
            ("test", experiment.splits.test),
        )
        if reader is not None
    ]
    trained = sum(p.numel() for p in method.parameters() if p.requires_grad)
    total = sum(p.numel() for p in method.parameters())
    print(f"data        {config.data.kind}: {', '.join(parts)} samples; {len(cases)} training items")
    print(f"keypoints   {experiment.skeleton.name}: {len(experiment.skeleton)}")
    print(f"model       {trained:,} of {total:,} parameters trained; backbone {config.backbone.kind}")
    print(f"one step    {step:.2f} s for a batch of {config.training.batch_size} on {device}, loss {losses['loss']:.4f}")
    print(f"memory      {_memory(device) / 1e9:.2f} GB")
    print(f"{config.training.steps} steps  {clock(step * config.training.steps)} without a feature cache")
    return step


def _memory(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    resident: int = psutil.Process().memory_info().rss
    return resident
