"""Several processes: they agree with one, and only the first of them writes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gensight.assembly.training_settings import build_machine
from gensight.config.schema import TrainingConfig
from gensight.engine.processes import is_first_process
from gensight.errors import ConfigError

SMALL = [
    "data.num_train=8", "data.num_frames=4", "data.size=[32,32]", "view.size=[32,32]", "backbone.kind=scratch",
    "encoding.num_landmarks=4", "encoding.distance=[1,3]", "method.perceptual=pixels", "method.shape_widths=[8,8,8]",
    "method.decoder_widths=[8,8]", "method.background_width=4", "method.adversary.weight=0.1",
    "method.adversary.width=4", "training.steps=4", "training.batch_size=4", "training.ema=0.9",
]  # fmt: skip


def losses(folder: Path) -> list[dict[str, float]]:
    with (folder / "log" / "metrics.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if k != "time"} for row in csv.DictReader(file)]


def train(folder: Path, launcher: list[str], *overrides: str) -> str:
    command = [sys.executable, *launcher, "-m", "gensight.cli.main", "train", "landmarks-puppets", *SMALL, *overrides]
    names = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK"}
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--out", str(folder), "--device", "cpu"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_and_two_processes_have_the_same_losses(tmp_path: Path) -> None:
    train(tmp_path / "one", [])
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--no-python", sys.executable]
    train(tmp_path / "torchrun", torchrun, "training.devices=2")
    train(tmp_path / "lightning", [], "training.devices=2")
    one = losses(tmp_path / "one")
    assert len(one) == 4
    for name in ("torchrun", "lightning"):
        two = losses(tmp_path / name)
        assert [row.keys() for row in two] == [row.keys() for row in one]
        for single, shared in zip(one, two, strict=True):
            assert shared == pytest.approx(single, abs=1e-5)
        assert (tmp_path / name / "model" / "weights.safetensors").is_file()


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"])
def test_only_the_first_process_is_the_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(one, raising=False)
    assert is_first_process()
    monkeypatch.setenv(name, "1")
    assert not is_first_process()


def test_a_batch_must_be_shared_evenly() -> None:
    assert build_machine(TrainingConfig(batch_size=6, devices=3), "cpu").devices == 3
    with pytest.raises(ConfigError, match="batch_size=8 cannot be shared evenly by 3 processes"):
        build_machine(TrainingConfig(batch_size=8, devices=3), "cpu")
    with pytest.raises(ConfigError, match="--device cuda:1 is one device, and the recipe trains on 2"):
        build_machine(TrainingConfig(batch_size=8, devices=2), "cuda:1")
