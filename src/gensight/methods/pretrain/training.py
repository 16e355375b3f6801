"""A compact training loop for pretraining: one player, plain torch, resumable at any step to the same weights.

Which items a step sees, and all of their noise, follow from (seed, step) alone. A checkpoint therefore needs no loader
or generator state: weights, averaged weights, optimiser and step are enough.
"""

import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from gensight.diffusion.noise import item_keys, mix
from gensight.errors import RunError
from gensight.files.atomic import atomic_path
from gensight.files.progress import ProgressLine
from gensight.methods.base import Method
from gensight.methods.pretrain.muon import Muon
from gensight.samples import Batch

DECAY_SHARE = 0.3


@runtime_checkable
class Source(Protocol):
    """Where batches come from."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int], keys: Tensor) -> Batch: ...


@dataclass(frozen=True)
class Settings:
    """How one stage is trained.

    Attributes:
        steps: Optimiser steps in all.
        batch_size: Items per step.
        learning_rate: Of AdamW. After warm-up, and until the last `DECAY_SHARE` of the way, in which it falls to 0. A
            rate that is constant for most of the way lets a user lengthen or shorten an unfinished stage.
        muon_rate: Of Muon, which then trains the inner matrices; None for AdamW alone. It follows the same course.
        max_seconds: Time to spend in steps, over all sittings; the way ends there if it comes before `steps`, and the
            learning rate falls in time. Where this binds, weights depend on the machine's speed. None for no limit.
        warmup_steps: Steps over which the rate rises from 0.
        weight_decay: AdamW's.
        ema: Decay of the averaged weights, which the stage ends with; None for no average.
        clip: Largest norm of the gradient.
        seed: Draws order and noise.
        save_seconds: Time between checkpoints.
        log_every: Steps between rows of the loss history.
    """

    steps: int
    batch_size: int
    learning_rate: float
    muon_rate: float | None = None
    max_seconds: float | None = None
    warmup_steps: int = 100
    weight_decay: float = 0.0
    ema: float | None = None
    clip: float = 1.0
    seed: int = 0
    save_seconds: float = 120.0
    log_every: int = 50


@dataclass
class Progress:
    """How far a stage has come.

    Attributes:
        step: Steps done.
        seconds: Time spent in steps, over all sittings.
        history: One row per `log_every` steps: step, and each loss averaged since the last row.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def rate(self, batch_size: int) -> float:
        """Items per second."""
        return self.step * batch_size / self.seconds if self.seconds else 0.0


def share_done(progress: Progress, settings: Settings) -> float:
    """How far a stage has come, from 0 to 1 (its end), by steps or by time, whichever is further."""
    shares = [progress.step / settings.steps if settings.steps else 1.0]
    if settings.max_seconds is not None:
        shares.append(progress.seconds / settings.max_seconds)
    return max(shares)


def rate_factor(progress: Progress, settings: Settings) -> float:
    """Share of the learning rate at the next step: linear warm-up, constant, linear fall to 0."""
    rise = (progress.step + 1) / (settings.warmup_steps + 1)
    fall = (1 - share_done(progress, settings)) / DECAY_SHARE
    return max(0.0, min(1.0, rise, fall))


def step_indices(step: int, batch_size: int, num_items: int, seed: int) -> list[int]:
    """The items of a step: a new permutation for each pass over the data, cut into batches without a gap."""
    indices: list[int] = []
    position = step * batch_size
    while len(indices) < batch_size:
        epoch, offset = divmod(position + len(indices), num_items)
        order = _permutation(num_items, seed, epoch)
        indices += order[offset : offset + batch_size - len(indices)].tolist()
    return indices


_LAST_PERMUTATION: dict[tuple[int, int, int], Tensor] = {}


def _permutation(num_items: int, seed: int, epoch: int) -> Tensor:
    key = (num_items, seed, epoch)
    if key not in _LAST_PERMUTATION:
        if len(_LAST_PERMUTATION) > 1:
            _LAST_PERMUTATION.clear()
        generator = torch.Generator().manual_seed(mix(seed, epoch))
        _LAST_PERMUTATION[key] = torch.randperm(num_items, generator=generator)
    return _LAST_PERMUTATION[key]


class Average:
    """Exponential moving average of trained tensors; young averages forget faster (factor (1 + n) / (10 + n))."""

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, tensors: Mapping[str, Tensor], step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        names = list(self.values)
        torch._foreach_lerp_([self.values[n] for n in names], [tensors[n].detach() for n in names], 1 - decay)


def fit(
    method: Method,
    source: Source,
    settings: Settings,
    checkpoint: Path,
    identity: str,
    label: str,
    device: str = "cpu",
) -> Progress:
    """Trains a method, from its checkpoint if there is one, and leaves it with the averaged weights.

    Args:
        method: Trained in place.
        source: Of batches.
        settings: How. `steps` may differ from those of the checkpoint.
        checkpoint: File to resume from and to save to.
        identity: Hash of all that the weights depend on but `steps`: a checkpoint of another identity is refused.
        label: For the progress line.
        device: Of the arithmetic.

    Raises:
        RunError: If the checkpoint belongs to another recipe or is damaged, or the loss is no longer finite.
        KeyboardInterrupt: After saving.
    """
    method.to(device).train()
    trained = {name: p for name, p in method.named_parameters() if p.requires_grad}
    optimizer = _optimizer(method, settings)
    average = Average(trained, settings.ema) if settings.ema is not None else None
    state = _State(checkpoint, identity, trained, optimizer, average, Progress())
    state.load(device)
    progress = state.progress
    line = ProgressLine(settings.steps, label, first=progress.step)
    saved = time.monotonic()
    try:
        while share_done(progress, settings) < 1:
            begun = time.monotonic()
            losses = _step(method, source, settings, optimizer, progress, list(trained.values()), device)
            if average is not None:
                average.update(trained, progress.step)
            progress.step += 1
            progress.seconds += time.monotonic() - begun
            state.log(losses, settings)
            line.show(progress.step, f"loss {losses['loss']:.4f}")
            if time.monotonic() - saved > settings.save_seconds:
                state.save()
                saved = time.monotonic()
    finally:
        line.close()
        state.save()
    if average is not None:
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(average.values[name])
    method.eval()
    return progress


def _optimizer(method: Method, settings: Settings) -> torch.optim.Optimizer:
    if settings.muon_rate is not None:
        trained = [(name, p) for name, p in method.named_parameters() if p.requires_grad]
        return Muon(trained, settings.muon_rate, settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(
        method.parameter_groups(), lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.99),
        fused=True,
    )  # fmt: skip


def _step(
    method: Method,
    source: Source,
    settings: Settings,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    parameters: list[torch.nn.Parameter],
    device: str,
) -> dict[str, float]:
    step = progress.step
    indices = step_indices(step, settings.batch_size, len(source), settings.seed)
    batch = source.batch(indices, item_keys(settings.seed, step, indices)).to(device)
    for group in optimizer.param_groups:
        rate = settings.muon_rate if group.get("is_muon") else settings.learning_rate
        group["lr"] = (rate or 0.0) * rate_factor(progress, settings)
    optimizer.zero_grad(set_to_none=True)
    losses = method.losses(batch)
    losses["loss"].backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
    if not torch.isfinite(norm):
        raise RunError(
            f"the loss is no longer finite at step {step}",
            hint="lower the learning rate; the last checkpoint is from before",
        )
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}


@dataclass
class _State:
    """All that a checkpoint holds."""

    path: Path
    identity: str
    trained: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: Average | None
    progress: Progress
    pending: dict[str, list[float]] = field(default_factory=dict)

    def log(self, losses: dict[str, float], settings: Settings) -> None:
        for name, value in losses.items():
            self.pending.setdefault(name, []).append(value)
        if self.progress.step % settings.log_every == 0 or self.progress.step == settings.steps:
            row = {name: sum(values) / len(values) for name, values in self.pending.items()}
            self.progress.history.append({"step": float(self.progress.step), **row})
            self.pending.clear()

    def save(self) -> None:
        content: dict[str, Any] = {
            "identity": self.identity,
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "history": self.progress.history,
            "pending": self.pending,
            "weights": {name: parameter.detach() for name, parameter in self.trained.items()},
            "average": None if self.average is None else self.average.values,
            "optimizer": self.optimizer.state_dict(),
        }
        with atomic_path(self.path) as temporary:
            torch.save(content, temporary)

    @torch.no_grad()
    def load(self, device: str) -> None:
        if not self.path.is_file():
            return
        hint = f"delete {self.path} to train this stage anew"
        try:
            content = torch.load(self.path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise RunError(f"the checkpoint cannot be read ({error})", where=self.path, hint=hint) from error
        if content["identity"] != self.identity:
            raise RunError(
                "the checkpoint belongs to another recipe or other data",
                where=self.path,
                hint="choose another folder with --out, or " + hint,
            )
        for name, parameter in self.trained.items():
            parameter.copy_(content["weights"][name])
        if self.average is not None:
            self.average.values = content["average"]
        self.optimizer.load_state_dict(content["optimizer"])
        self.progress.step = content["step"]
        self.progress.seconds = content["seconds"]
        self.progress.history = content["history"]
        self.pending.update(content["pending"])
