"""Editors end in the same weights stopped or not, and have the same losses in one process as in two."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gensight.engine.run_folder import RunFolder
from gensight.methods.loss import Loss
from gensight.samples import Batch
from tests.learning import StoppedError
from tests.methods.instruct import training
from tests.pipelines import save_pipeline

WAYS = ["many-step", "one-step"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("editor")
    save_pipeline(base / "sd")
    return base


@pytest.mark.parametrize("way", WAYS)
def test_a_run_stopped_in_the_middle_of_an_epoch_ends_bit_identical(folder: Path, tmp_path: Path, way: str) -> None:
    training.train(tmp_path / "whole", training.method(folder, way))
    method = training.method(folder, way)
    losses, count = method.losses, 0

    def stopping(batch: Batch, group: str = "model") -> dict[str, Loss]:
        nonlocal count
        count += 1
        if count == 4:
            raise StoppedError
        return losses(batch, group)

    method.losses = stopping
    with pytest.raises(StoppedError):
        training.train(tmp_path / "stopped", method)
    saved = torch.load(tmp_path / "stopped/checkpoints/last.ckpt", weights_only=True)["gensight"]["num_batches"]
    assert saved == 2
    assert saved * training.BATCH_SIZE % len(training.cases())
    assert training.train(tmp_path / "stopped", training.method(folder, way)).steps == training.STEPS

    whole, stopped = (load_file(RunFolder(tmp_path / name).weights) for name in ("whole", "stopped"))
    begun = training.method(folder, way).trained_state()
    assert whole.keys() == stopped.keys() == begun.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert any(not torch.equal(whole[name], begun[name]) for name in whole)


def trained_by(num: int, folder: Path, way: str, out: Path) -> list[float]:
    """The losses of a training by `num` processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={num}"]
    command = [sys.executable, *launcher, "-m", "tests.methods.instruct.training", str(folder), way, str(out), str(num)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    with (out / "log" / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_one_and_two_processes_have_the_same_losses(folder: Path, tmp_path: Path, way: str) -> None:
    one, two = (trained_by(num, folder, way, tmp_path / str(num)) for num in (1, 2))
    assert len(one) == training.STEPS
    assert two == pytest.approx(one, abs=1e-5)
