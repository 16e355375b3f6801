from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gensight.diffusion.noise import item_noise
from gensight.errors import RunError
from gensight.methods.base import Method
from gensight.methods.loss import Loss
from gensight.methods.pretrain.training import Progress, Settings, fit, rate_factor, step_indices
from gensight.samples import Batch, Item, Sample


class Line(Method):
    """Learns to double its input, from noisy copies."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def losses(self, batch: Batch, player: str = "model") -> dict[str, Loss]:
        noise = item_noise(batch.keys, (3,))
        error = self.layer(batch.image[:, :, 0, 0] + 0.1 * noise) - 2 * batch.image[:, :, 0, 0]
        return {"double": Loss.over(error.square().mean(1))}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {}

    def parameter_groups(self, player: str = "model") -> list[dict[str, Any]]:
        return [{"params": list(self.layer.parameters())}]


class Numbers:
    """Ten items; raises KeyboardInterrupt at one batch, as Ctrl-C does."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.count = stop_at, 0

    def __len__(self) -> int:
        return 10

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        self.count += 1
        if self.count == self.stop_at:
            raise KeyboardInterrupt
        items = [Item((Sample(str(index), (1, 1), lambda: None),)) for index in indices]
        images = torch.tensor(indices).float().view(-1, 1, 1, 1).expand(-1, 3, 1, 1) / 10
        return Batch(items=items, views=[() for _ in items], keys=keys, images=(images,))


SETTINGS = Settings(steps=40, batch_size=4, learning_rate=0.05, warmup_steps=3, ema=0.9, seed=5, log_every=10)


def train(path: Path, source: Numbers, settings: Settings = SETTINGS, identity: str = "a") -> tuple[Line, Progress]:
    torch.manual_seed(0)
    method = Line()
    return method, fit(method, source, settings, path, identity, "test")


def test_interrupted_training_ends_in_the_same_weights(tmp_path):
    whole, progress = train(tmp_path / "whole.ckpt", Numbers())
    path = tmp_path / "parts.ckpt"
    for stop_at in (1, 14, 9):
        with pytest.raises(KeyboardInterrupt):
            train(path, Numbers(stop_at))
    parts, resumed = train(path, Numbers())
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))
    assert resumed.step == progress.step == 40
    assert resumed.history == progress.history
    assert [row["step"] for row in progress.history] == [10, 20, 30, 40]


def test_a_finished_stage_is_only_loaded(tmp_path):
    first, _ = train(tmp_path / "a.ckpt", Numbers())
    source = Numbers()
    second, _ = train(tmp_path / "a.ckpt", source)
    assert source.count == 0
    assert torch.equal(first.layer.weight, second.layer.weight)


def test_it_learns_and_ends_with_the_average(tmp_path):
    method, progress = train(tmp_path / "a.ckpt", Numbers())
    assert progress.history[-1]["loss"] < 0.3 * progress.history[0]["loss"]
    state = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert torch.equal(method.layer.weight, state["average"]["layer.weight"])
    assert not torch.equal(method.layer.weight, state["weights"]["layer.weight"])


def test_another_recipes_checkpoint_is_refused(tmp_path):
    train(tmp_path / "a.ckpt", Numbers())
    with pytest.raises(RunError, match="belongs to another recipe or other data"):
        train(tmp_path / "a.ckpt", Numbers(), identity="b")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"nonsense")
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        train(tmp_path / "a.ckpt", Numbers())


def test_an_infinite_loss_is_told(tmp_path):
    settings = Settings(steps=5, batch_size=2, learning_rate=1e30, warmup_steps=0)
    with pytest.raises(RunError, match="no longer finite at step"):
        train(tmp_path / "a.ckpt", Numbers(), settings)


def test_every_pass_shows_every_item_once():
    seen = [index for step in range(5) for index in step_indices(step, 4, 10, seed=1)]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert step_indices(3, 4, 10, seed=1) == seen[12:16]
    assert len(step_indices(0, 25, 10, seed=1)) == 25


def test_the_rate_rises_stays_and_falls_by_steps_or_by_time():
    settings = Settings(steps=100, batch_size=1, learning_rate=1.0, warmup_steps=9)
    factors = [rate_factor(Progress(step=step), settings) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:71] == [1.0] * 62
    assert factors[85] == pytest.approx(0.5)
    assert factors[100] == 0
    timed = Settings(steps=100, batch_size=1, learning_rate=1.0, warmup_steps=9, max_seconds=60.0)
    assert rate_factor(Progress(step=20, seconds=51.0), timed) == pytest.approx(0.5)


def test_time_that_is_up_ends_the_stage(tmp_path):
    settings = Settings(steps=10**9, batch_size=2, learning_rate=0.01, max_seconds=0.05)
    _, progress = train(tmp_path / "a.ckpt", Numbers(), settings)
    assert 0 < progress.step < 10**6
    assert progress.seconds >= 0.05
