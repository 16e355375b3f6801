"""`--dry-run`: everything is built and a few batches are run, to estimate time and memory; nothing is written."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psutil
import torch

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.devices import choose_device
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import build_optimisation
from gensight.assembly.views import build_augmentation
from gensight.backbones.cache import TIME_EMBEDDING
from gensight.config.protocols import TRAINED
from gensight.config.schema import RunConfig
from gensight.files.progress import clock
from gensight.loading.stream import CaseBatches
from gensight.methods.base import Method
from gensight.methods.loss import total_loss
from gensight.methods.readout.method import Readout
from gensight.readers.shared.label_counts import LabelCounts
from gensight.samples import Batch
from gensight.skeletons import pairs_text

NUM_STEPS = 3
MOST_SECONDS = 4.0  # of steps, for each of the measurements


@dataclass(frozen=True, eq=False)
class DryRun:
    """What a training will learn from, and what a few of its steps took of time and memory.

    Attributes:
        experiment: The recipe with its data.
        device: Where it was measured.
        num_items: Training items.
        num_trained, num_parameters: Numbers of parameters.
        seconds_per_step: For one batch of images in memory, without a feature cache.
        seconds_per_answer: For one item in prediction.
        seconds_first: Once per item: reading its image.
        seconds_cached: For one batch of cached features, and for caching one view; None without a cache.
        loss: Of the last batch.
        memory_bytes: Of the device, or of this process.
    """

    experiment: Experiment
    device: str
    num_items: int
    num_trained: int
    num_parameters: int
    seconds_per_step: float
    seconds_per_answer: float
    seconds_first: float
    seconds_cached: tuple[float, float] | None
    loss: float
    memory_bytes: int

    @property
    def seconds(self) -> float:
        """Estimate of the whole training, with its validations, as far as its time limit lets it go."""
        config, splits = self.experiment.config, self.experiment.splits
        training, num_batches = config.training, config.training.steps * config.training.accumulate
        per_step, before = self.seconds_per_step, 0.0
        if self.seconds_cached is not None:
            per_step, per_view = self.seconds_cached
            augmented = build_augmentation(config.view.augment) is not None
            before = per_view * self.num_items * (config.cache.views if augmented else 1)
        learning = before + self.seconds_first * self.num_items + per_step * num_batches
        if training.max_minutes is not None:
            learning = min(learning, 60 * training.max_minutes + before)
        num_validated = 0 if splits.validation is None else len(splits.validation)
        num_validations = 1 + training.steps // training.validate_every  # once more for the confidence
        return learning + num_validations * num_validated * self.seconds_per_answer

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
            lines.append(f"pairs       left-right: {pairs_text(skeleton.keypoints, skeleton.mirror)}")
            lines += [f"sides       {self.experiment.sides_note}"] if self.experiment.sides_note else []
        training, cached = config.training, self.seconds_cached
        limit = training.max_minutes
        beside = [name for name in config.baselines if name in TRAINED and config.backbone.kind != "scratch"]
        return "\n".join([
            *lines,
            f"model       {self.num_trained:,} of {self.num_parameters:,} parameters trained; backbone "
            f"{config.backbone.kind}",
            f"one step    {self.seconds_per_step:.2f} s for a batch of {training.batch_size} on {self.device}"
            f"{'' if cached is None else f', {cached[0]:.2f} s with cached features'}, loss {self.loss:.4f}",
            f"memory      {self.memory_bytes / 1e9:.2f} GB",
            f"{training.steps} steps  {clock(self.seconds)} with validation"
            f"{'' if limit is None else f'; no step begins after {limit:g} minutes'}"
            + ("; then the trained baselines: " + ", ".join(beside) if beside else ""),
        ])  # fmt: skip


def measure_steps(experiment: Experiment, device: str, optimise: bool = True) -> DryRun:
    """Builds the method and runs a few training steps, twice: the first time images are read.

    Args:
        experiment: The recipe.
        device: Where.
        optimise: Whether the optimisers step, too: on a CPU a hundredth of the time, but slow to import.
    """
    config = experiment.config
    method = build_method(config, build_backbone(config), experiment.encoding)
    method.to(device).train()
    cases = experiment.training_cases()
    optimisers = build_optimisation(config.training).optimisers(method) if optimise else []
    source = CaseBatches(cases, experiment.draw_order(cases))

    def step(batch: Batch) -> float:
        losses = []
        for number, group in enumerate(method.optimizer_groups):
            loss = total_loss(method.losses(batch, group))
            loss.backward()
            if optimise:
                optimisers[number].step()
            method.zero_grad()
            losses.append(float(loss.detach()))
        return losses[0]

    def steps() -> tuple[list[float], float, Batch]:
        seconds: list[float] = []
        batches = iter(source.from_step(0))
        while len(seconds) < NUM_STEPS and (sum(seconds) < MOST_SECONDS or len(seconds) < 2):
            begun = time.perf_counter()
            batch = next(batches).to(device)
            loss = step(batch)
            seconds.append(time.perf_counter() - begun)
        return seconds, loss, batch

    first, _, _ = steps()
    again, loss, batch = steps()
    per_step = sum(again) / len(again)
    cached = _cached_seconds(experiment, method, batch, step)
    method.eval()
    with torch.inference_mode():
        per_answer = _seconds(lambda: method.predict(batch)) / len(batch)
    parameters = list(method.parameters())
    on_gpu = device.startswith("cuda")
    return DryRun(
        experiment=experiment,
        device=device,
        num_items=len(cases),
        num_trained=sum(p.numel() for p in parameters if p.requires_grad),
        num_parameters=sum(p.numel() for p in parameters),
        seconds_per_step=per_step,
        seconds_per_answer=per_answer,
        seconds_first=max(0.0, min(first[1:]) - per_step) / len(batch),
        seconds_cached=cached,
        loss=loss,
        memory_bytes=torch.cuda.max_memory_allocated(device) if on_gpu else psutil.Process().memory_info().rss,
    )


def _cached_seconds(
    experiment: Experiment, method: Method, batch: Batch, step: Callable[[Batch], float]
) -> tuple[float, float] | None:
    """(for a batch of cached features, for caching one view); None where the recipe caches none."""
    config = experiment.config
    several = config.training.devices * config.training.num_nodes > 1
    if not isinstance(method, Readout) or several or config.cache.mode == "off":
        return None
    if config.why_features_change() is not None:
        return None
    with torch.no_grad():
        maps = method.read_features(batch)
        per_view = _seconds(lambda: method.read_features(batch)) / len(batch)
    slots = [
        {**one.maps} if one.time_embedding is None else {**one.maps, TIME_EMBEDDING: one.time_embedding} for one in maps
    ]
    stored = replace(batch, features=tuple(slots))
    step(stored)
    return _seconds(lambda: step(stored)), per_view


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def dry_run(config: RunConfig, device: str = "auto") -> DryRun:
    """Opens a recipe's data, builds its method and measures a few training steps."""
    device = choose_device(device)
    return measure_steps(Experiment.open(resolve_preset(config)).with_steps(), device)
