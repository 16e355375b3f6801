"""Training ends in the same weights whether or not it was interrupted, and reports what went wrong."""

import math
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from gensight.engine.fit import Schedule, Training, fit
from gensight.engine.optimisation import Optimisation
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import load_method
from gensight.errors import RunError
from gensight.loading.draw_order import DrawOrder
from gensight.loading.stream import CaseBatches
from gensight.methods.loss import Loss
from gensight.methods.readout.method import Part, Readout
from gensight.samples import Batch
from tests.engine import small_run

OPTIMISATION = Optimisation(steps=12, learning_rate=3e-3, warmup_steps=2, schedule="cosine", ema=0.9, clip=1.0)


def train(root: Path, optimisation: Optimisation = OPTIMISATION, method: Readout | None = None) -> Training:
    cases = small_run.cases()
    return fit(
        method or small_run.method(),
        CaseBatches(cases, DrawOrder(len(cases), 4, seed=0)),
        optimisation,
        RunFolder(root),
        schedule=Schedule(checkpoint_every=3, validate_every=5, log_every=2),
        validate=lambda trained: {"error": float(sum(p.detach().abs().sum() for p in trained.parameters()))},
        monitor="error",
    )


def weights(root: Path) -> dict[str, Tensor]:
    return load_file(RunFolder(root).weights)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def train_until_killed(root: Path) -> None:
    method = small_run.method()
    losses = method.losses
    count = 0

    def killing(batch: Batch, group: str = "model") -> dict[str, Loss]:
        nonlocal count
        count += 1
        if count == 8:
            os.kill(os.getpid(), signal.SIGKILL)
        return losses(batch, group)

    method.losses = killing
    train(root, method=method)


def test_killed_and_resumed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    process = multiprocessing.get_context("spawn").Process(target=train_until_killed, args=(tmp_path / "killed",))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert not RunFolder(tmp_path / "killed").weights.exists()
    training = train(tmp_path / "killed")
    assert training.steps == 12
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    whole, killed = (
        torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True) for name in ("whole", "killed")
    )
    assert same(whole["state_dict"], killed["state_dict"])
    assert same(whole["gensight"]["average"], killed["gensight"]["average"])


def test_accumulated_batches_make_one_step(tmp_path: Path) -> None:
    training = train(tmp_path, replace(OPTIMISATION, steps=3, accumulate=2))
    checkpoint = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert training.steps == 3
    assert checkpoint["gensight"]["num_batches"] == 6
    assert checkpoint["optimizer_states"][0]["state"][0]["step"] == 3


def test_training_lowers_the_loss_and_logs_it(tmp_path: Path) -> None:
    train(tmp_path, replace(OPTIMISATION, steps=60))
    rows = (tmp_path / "log/metrics.csv").read_text().splitlines()
    names = rows[0].split(",")
    losses = [float(row.split(",")[names.index("loss")]) for row in rows[1:] if row.split(",")[names.index("loss")]]
    assert losses[-1] < 0.7 * losses[0]
    assert "validation_error" in names


def test_frozen_backbones_are_not_in_checkpoints(tmp_path: Path) -> None:
    method = small_run.method()
    method.backbone.requires_grad_(False)
    train(tmp_path, method=method)
    checkpoint = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["state_dict"]
    assert not [name for name in checkpoint["state_dict"] if "backbone" in name]


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    method = small_run.method()
    losses = method.losses
    count = 0

    def breaking(batch: Batch, group: str = "model") -> dict[str, Loss]:
        nonlocal count
        count += 1
        values = losses(batch, group)
        return {name: replace(one, sum=one.sum * (math.nan if count == 8 else 1)) for name, one in values.items()}

    method.losses = breaking
    with pytest.raises(RunError, match="the loss is not finite at step 8") as caught:
        train(tmp_path, method=method)
    assert "dots/" in str(caught.value)
    assert torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["gensight"]["num_batches"] == 6


def test_interrupt_saves_and_resumes(tmp_path: Path) -> None:
    method = small_run.method()
    losses = method.losses
    count = 0

    def interrupting(batch: Batch, group: str = "model") -> dict[str, Loss]:
        nonlocal count
        count += 1
        if count == 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return losses(batch, group)

    method.losses = interrupting
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", method=method)
    saved = torch.load(tmp_path / "stopped/checkpoints/last.ckpt", weights_only=True)
    assert saved["gensight"]["num_batches"] == 5
    assert train(tmp_path / "stopped").steps == OPTIMISATION.steps
    train(tmp_path / "whole")
    # The last weights: validation may have chosen some from before the interruption.
    whole, stopped = (
        torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True) for name in ("whole", "stopped")
    )
    assert same(whole["state_dict"], stopped["state_dict"])
    assert same(whole["gensight"]["average"], stopped["gensight"]["average"])


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        train(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    train(tmp_path)
    torch.manual_seed(0)
    backbone, outputs = small_run.method().backbone, small_run.encoding().outputs
    other = Readout(backbone, {"dots": Part(outputs, 4)}, projection=8, bottleneck=8, widths=(8, 8))
    with pytest.raises(RunError, match="other shapes"):
        load_method(other, RunFolder(tmp_path))
