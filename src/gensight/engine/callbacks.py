"""What happens beside the training step: checkpoints, log file, progress line, time limit."""

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from gensight.engine.module import MethodModule
from gensight.engine.processes import any_process
from gensight.engine.run_folder import RunFolder
from gensight.errors import RunError
from gensight.files.atomic import atomic_path, write_text
from gensight.files.progress import ProgressLine


class Checkpoints(Callback):
    """Writes `last.ckpt` every `every` steps and when training stops, and `best.ckpt` at each best validation score.

    Args:
        run: Where.
        every: Optimiser steps between checkpoints.
        monitor: Validation score whose minimum is best; None keeps no best.
    """

    def __init__(self, run: RunFolder, every: int, monitor: str | None) -> None:
        self.run, self.every, self.monitor = run, every, monitor
        self.best = math.inf
        self.best_step = 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]

    def after_validation(self, trainer: L.Trainer, module: MethodModule, scores: dict[str, float]) -> None:
        value = scores.get(self.monitor or "", math.nan)
        if value < self.best:
            self.best, self.best_step = value, module.num_steps
            self._save(trainer, self.run.best_checkpoint)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.completes(self.every):
            self._save(trainer, self.run.last_checkpoint)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._save(trainer, self.run.last_checkpoint)

    def _save(self, trainer: L.Trainer, path: Path) -> None:
        if trainer.is_global_zero:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(path)  # takes part, and writes nothing
        trainer.strategy.barrier()  # the others read the file when training ends


class StopOnBadLoss(Callback):
    """Ends training with the cause named as soon as a loss is not finite; the last good checkpoint stays."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        bad = [name for name, value in pl_module.latest.items() if not math.isfinite(float(value))]
        if bad:
            raise RunError(
                f"the loss is not finite at step {pl_module.num_steps}: {', '.join(bad)}",
                where=", ".join(item.key for item in batch.items[:4]),
                hint="lower the learning rate, clip gradients (clip=1.0), or check the labels of these items",
            )


class CsvLog(Callback):
    """`log/metrics.csv`: step, seconds, losses and validation scores; a resumed run drops what lies after its step."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.rows = [row for row in read_log(self.path) if row["step"] <= pl_module.num_steps]

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        for name, value in pl_module.latest.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1
        if pl_module.completes(self.every):
            self.add(pl_module.num_steps, {name: total / self._count for name, total in self._sums.items()}, trainer)
            self._sums, self._count = {}, 0

    def add(self, step: int, values: dict[str, float], trainer: L.Trainer | None = None) -> None:
        """Adds a row and rewrites the file, in the first process."""
        if trainer is not None and not trainer.is_global_zero:
            return
        self.rows.append({"step": step, "time": time.time(), **values})
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(self.rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, text.getvalue())
        for logger in trainer.loggers if trainer is not None else []:
            logger.log_metrics(values, step)


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a run's `metrics.csv`; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


class Progress(Callback):
    """One line with step, loss, rate and time left."""

    def __init__(self, steps: int, label: str) -> None:
        self.steps, self.label = steps, label

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.line = ProgressLine(self.steps, self.label, first=pl_module.num_steps)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.is_global_zero:
            self.line.show(pl_module.num_steps, f"loss {float(pl_module.latest['loss']):.5f}")

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.line.close()


class TimeLimit(Callback):
    """Stops after this many minutes of training, counted over all times that the run was resumed."""

    def __init__(self, minutes: float | None) -> None:
        self.limit = None if minutes is None else 60 * minutes
        self.spent = 0.0
        self._since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent = state_dict["spent"]

    def share(self) -> float:
        """Share of the time that is spent; 0 without a limit."""
        return 0.0 if self.limit is None else self.spent / self.limit

    def leave_out(self) -> None:
        """The time since the last step doesn't count: it was spent on something else."""
        self._since = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.leave_out()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.monotonic()
        self.spent, self._since = self.spent + now - self._since, now
        if self.limit is not None and any_process(trainer, self.spent > self.limit):
            trainer.should_stop = True


class Validation(Callback):
    """Scores the method every `every` steps, on the averaged weights where an average is kept."""

    def __init__(self, every: int, log: CsvLog, checkpoints: Checkpoints, clock: TimeLimit) -> None:
        self.every, self.table, self.checkpoints, self.clock = every, log, checkpoints, clock

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.validate_with is None or not pl_module.completes(self.every):
            return
        method = pl_module.method
        kept = {name: tensor.clone() for name, tensor in method.trained_state().items()}
        method.load_trained_state(pl_module.final_state())
        method.eval()
        scores = pl_module.validate_with(method)
        method.train()
        method.load_trained_state(kept)
        self.table.add(pl_module.num_steps, {f"validation_{n}": v for n, v in scores.items()}, trainer)
        self.checkpoints.after_validation(trainer, pl_module, scores)
        self.clock.leave_out()  # validation is not training time
