"""The rate of each schedule, what a limit of time does to it, and trainings that end, are lengthened or refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gensight.diffusion.noise import item_noise
from gensight.diffusion.sampling import Sampling
from gensight.engine.callbacks import read_log
from gensight.engine.fit import Schedule, Training, fit
from gensight.engine.optimisation import Optimisation
from gensight.engine.run_folder import RunFolder
from gensight.errors import RunError
from gensight.loading.stream import IndexedBatches
from gensight.methods.base import Method
from gensight.methods.loss import Loss
from gensight.samples import Batch, Item, Sample
from tests.learning import StoppedError


class Line(Method):
    """Learns to double its input, from noisy copies."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 3)

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        x = batch.image[:, :, 0, 0]
        return {"squared": Loss.over((self.layer(x + 0.1 * item_noise(batch.keys, (3,))) - 2 * x).square().mean(1))}

    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        return {"doubled": self.layer(batch.image[:, :, 0, 0])}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return [{"params": list(self.layer.parameters())}]


class Numbers:
    """Ten items; counts the batches that were made of them, and stops before one."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.count = stop_at, 0

    def __len__(self) -> int:
        return 10

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        self.count += 1
        if self.count == self.stop_at:
            raise StoppedError
        items = [Item((Sample(str(index), (1, 1), lambda: None),)) for index in indices]  # type: ignore[arg-type, return-value]
        images = torch.tensor(indices).float().view(-1, 1, 1, 1).expand(-1, 3, 1, 1) / 10
        return Batch(items=items, views=[() for _ in items], keys=keys, images=(images,))


def optimisation(steps: int = 12, **changes: Any) -> Optimisation:
    usual = {"learning_rate": 0.05, "warmup_steps": 3, "schedule": "constant-then-linear", "clip": 1.0, "ema": 0.9}
    return Optimisation(steps, **{**usual, "betas": (0.9, 0.99), "fused": True, **changes})


def train(root: Path, source: Numbers | None = None, steps: int = 12, identity: str = "a", **changes: Any) -> Training:
    schedule = Schedule(checkpoint_every=2, log_every=2, max_minutes=changes.pop("max_minutes", None))
    batches = IndexedBatches(source or Numbers(), 4, seed=5)
    how = optimisation(steps, **changes)
    return fit(Line(), batches, how, RunFolder(root), schedule=schedule, identity=identity)


def test_a_training_on_numbered_items_ends_in_the_same_weights_stopped_or_not(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    for stop_at in (1, 7):
        with pytest.raises(StoppedError):
            train(tmp_path / "parts", Numbers(stop_at))
    assert train(tmp_path / "parts").steps == 12
    whole, parts = (load_file(RunFolder(tmp_path / name).weights) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    logs = [[row["loss"] for row in read_log(tmp_path / name / "log/metrics.csv")] for name in ("whole", "parts")]
    assert len(logs[0]) == len(logs[1]) == 6
    assert logs[0][0] == logs[1][0]


def test_a_finished_training_is_only_loaded_unless_it_is_lengthened(tmp_path: Path) -> None:
    train(tmp_path)
    again, longer = Numbers(), Numbers()
    assert train(tmp_path, again).steps == 12
    assert again.count == 0
    ended = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert train(tmp_path, longer, steps=13).steps == 13  # at the rate of the longer schedule, not at 0
    assert longer.count >= 1
    moved = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    change = ended["method.layer.weight"] - moved["method.layer.weight"]
    assert change.abs().max() > 1.1e-3  # a tenth of what it is


def test_a_training_ends_with_the_average_of_its_weights(tmp_path: Path) -> None:
    train(tmp_path)
    state = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    average, last = state["gensight"]["average"]["layer.weight"], state["state_dict"]["method.layer.weight"]
    assert torch.equal(load_file(RunFolder(tmp_path).weights)["layer.weight"], average)
    assert (average - last).abs().max() > 3.2e-3  # a tenth of what it is


def test_the_checkpoint_of_another_identity_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(RunError, match="belongs to another recipe or other data"):
        train(tmp_path, identity="b")


def test_a_checkpoint_without_an_identity_is_that_of_none(tmp_path: Path) -> None:
    train(tmp_path, identity="")
    path = tmp_path / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["gensight"]["identity"]
    torch.save(checkpoint, path)
    assert train(tmp_path, identity="").steps == 12
    with pytest.raises(RunError, match="belongs to another recipe or other data"):
        train(tmp_path, identity="a")


def test_time_that_is_up_ends_a_training_for_good(tmp_path: Path) -> None:
    training = train(tmp_path, steps=10**9, max_minutes=0.001)
    assert 0 < training.steps < 10**6
    assert training.minutes >= 0.001
    source = Numbers()
    assert train(tmp_path, source, steps=10**9, max_minutes=0.001).steps == training.steps
    assert source.count == 0


def test_every_pass_shows_every_item_once() -> None:
    stream = iter(IndexedBatches(Numbers(), 4, seed=1).from_step(0))
    seen = [int(item.key) for _ in range(5) for item in next(stream).items]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    resumed = next(iter(IndexedBatches(Numbers(), 4, seed=1).from_step(3)))
    assert [int(item.key) for item in resumed.items] == seen[12:16]


def test_the_rate_rises_stays_and_falls_by_steps_or_by_time() -> None:
    how = optimisation(100, warmup_steps=9)
    factors = [how.rate(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:70] == [1.0] * 61
    assert factors[85] == pytest.approx(0.5)
    assert factors[100] == 0
    assert how.rate(20, time_share=0.85) == pytest.approx(0.5)
    assert how.rate(95, time_share=0.85) == pytest.approx(1 / 6)
    assert how.rate(20, time_share=1.2) == 0


@pytest.mark.parametrize(("schedule", "last"), [("constant", 1.0), ("cosine", 0.01), ("linear", 0.05)])
def test_where_the_other_schedules_end(schedule: str, last: float) -> None:
    how = Optimisation(100, schedule=schedule)  # type: ignore[arg-type]
    assert how.rate(0) == pytest.approx(1.0)
    assert how.rate(100) == pytest.approx(last)
    assert how.rate(20, time_share=0.9) == how.rate(20)
