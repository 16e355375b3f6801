"""Trains a Method into a run folder with Lightning's Trainer, or resumes an interrupted training."""

import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from gensight.engine.callbacks import Checkpoints, CsvLog, Progress, StopOnBadLoss, TimeLimit, Validation
from gensight.engine.hardware import Machine
from gensight.engine.module import MethodModule
from gensight.engine.optimisation import Optimisation
from gensight.engine.processes import any_process, is_first_process
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import load_checkpoint, load_trained, save_weights
from gensight.errors import RunError
from gensight.files.atomic import full_disk
from gensight.loading.stream import Batches
from gensight.methods.base import Method, Stage


@dataclass(frozen=True)
class Schedule:
    """What happens when, beside the optimiser's steps.

    Attributes:
        checkpoint_every: Steps between checkpoints.
        validate_every: Steps between validations.
        log_every: Steps between rows of the log.
        max_minutes: Training stops after this long, or None.
    """

    checkpoint_every: int = 200
    validate_every: int = 200
    log_every: int = 20
    max_minutes: float | None = None


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes:
        steps: Optimiser steps taken.
        minutes: Minutes of training, validation not counted, over all times that the run was resumed.
        best_step: Step whose weights were kept; the last one where nothing was validated.
        num_parameters: Number of trained parameters.
    """

    steps: int
    minutes: float
    best_step: int
    num_parameters: int


def fit(
    method: Method,
    batches: Batches,
    optimisation: Optimisation,
    run: RunFolder,
    *,
    schedule: Schedule = Schedule(),
    machine: Machine = Machine(),  # noqa: B008 (frozen)
    validate: Callable[[Method], dict[str, float]] | None = None,
    monitor: str | None = None,
    label: str = "train",
    identity: str = "",
) -> Training:
    """Trains `method` until its steps or minutes are over and leaves its best weights in it and in the run folder.

    A run that was interrupted resumes from its last checkpoint; on CPU it ends with the same weights, to the bit, as
    an uninterrupted one. A run that has ended is only loaded, unless it is given more steps. The method's stages are
    trained first, each in a folder of the run.

    Args:
        method: Trained in place.
        batches: What it learns from.
        optimisation: How parameters are moved.
        run: Where checkpoints, log and weights are kept.
        schedule: When to save, validate, log and stop.
        machine: Where it runs.
        validate: Gives named scores of the method, in evaluation mode.
        monitor: The score whose minimum is best; None keeps the last weights.
        label: Of the progress line.
        identity: Hash of all that the weights depend on but the number of steps, where the run folder's recipe does not
            guard that: a checkpoint of another identity is refused.

    Raises:
        KeyboardInterrupt: After Ctrl-C, once the state is saved.
        RunError: If the checkpoint is damaged or of another identity, or the loss is not finite.
    """
    resume = run.last_checkpoint if run.last_checkpoint.is_file() else None
    if resume is None:
        for stage in method.stages(batches.seed):
            fit_stage(stage, RunFolder(run.root / stage.name), machine)
    clock = TimeLimit(schedule.max_minutes)
    module = MethodModule(method, optimisation, validate, clock.share, identity)
    checkpoints = Checkpoints(run, schedule.checkpoint_every, monitor if validate else None)
    log = CsvLog(run.log / "metrics.csv", schedule.log_every)
    stop = _StopAtEnd(optimisation.steps)
    callbacks = [
        StopOnBadLoss(), log, clock, Validation(schedule.validate_every, log, checkpoints, clock), checkpoints,
        Progress(optimisation.steps, label), stop,
    ]  # fmt: skip
    first_batch, minutes = (0, 0.0) if resume is None else _peek(resume, identity)
    ended = schedule.max_minutes is not None and minutes >= schedule.max_minutes
    if first_batch < optimisation.steps * optimisation.accumulate and not ended:
        with _quiet(), stop.catching_interrupt(), full_disk(run.log):  # Lightning writes there, too
            trainer = _trainer(run, machine, callbacks)
            stream = batches.from_step(first_batch, machine.num_workers, trainer.global_rank, trainer.world_size)
            trainer.fit(module, stream, ckpt_path=resume, weights_only=True)
        if stop.interrupted:
            raise KeyboardInterrupt
    return _finish(module, run)


def fit_stage(stage: Stage, run: RunFolder, machine: Machine = Machine()) -> Training:  # noqa: B008 (frozen)
    """Trains a stage of a method into a folder of its own, as `fit` does."""
    optimisation = Optimisation(
        stage.steps, stage.learning_rate, stage.weight_decay, stage.warmup_steps, schedule="linear", clip=1.0
    )
    return fit(stage.method, stage.batches, optimisation, run, machine=machine, label=stage.name)


def _trainer(run: RunFolder, machine: Machine, callbacks: list[Any]) -> L.Trainer:
    return L.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        precision=machine.precision,
        max_epochs=-1,  # the step is the only clock; with a limit, a run resumed after Ctrl-C would end at once
        max_steps=-1,
        callbacks=callbacks,
        logger=TensorBoardLogger(run.log, name="", version=""),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic="warn" if machine.accelerator != "cpu" else None,
    )


def _finish(module: MethodModule, run: RunFolder) -> Training:
    """Puts the best weights into the method and the run folder."""
    last = load_checkpoint(run.last_checkpoint)
    best = load_checkpoint(run.best_checkpoint) if run.best_checkpoint.is_file() else last
    method, accumulate = module.method, module.optimisation.accumulate
    load_trained(method, best)
    if is_first_process():
        save_weights(method.trained_state(), run.weights)
    return Training(
        steps=last["gensight"]["num_batches"] // accumulate,
        minutes=last["callbacks"]["TimeLimit"]["spent"] / 60,
        best_step=best["gensight"]["num_batches"] // accumulate,
        num_parameters=sum(p.numel() for p in method.parameters() if p.requires_grad),
    )


def _peek(path: Path, identity: str) -> tuple[int, float]:
    """(batches, minutes) that a checkpoint has come to. Raises RunError where it is of another identity."""
    checkpoint = load_checkpoint(path)
    if checkpoint["gensight"].get("identity", "") != identity:
        raise RunError(
            "the checkpoint belongs to another recipe or other data",
            where=path,
            hint=f"choose another folder with --out, or delete {path} to train this stage anew",
        )
    return checkpoint["gensight"]["num_batches"], checkpoint["callbacks"]["TimeLimit"]["spent"] / 60


class _StopAtEnd(L.Callback):
    """Ends the endless epoch after the last step, or after Ctrl-C at the next whole step."""

    def __init__(self, steps: int) -> None:
        self.steps, self.interrupted = steps, False

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.interrupted = any_process(trainer, self.interrupted)
        if pl_module.num_steps >= self.steps or self.interrupted:
            trainer.should_stop = True

    @contextmanager
    def catching_interrupt(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)  # a second Ctrl-C ends at once

        try:
            before = signal.signal(signal.SIGINT, note)
        except ValueError:  # not the main thread: the caller keeps its own handling
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's notices about choices that are made here on purpose."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        try:
            yield
        finally:
            logger.setLevel(level)
