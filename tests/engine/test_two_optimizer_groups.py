"""Two optimizer groups in the one module: killed or not, training ends in the same weights, to the bit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gensight.encodings.pairs.landmark_pairs import LandmarkPairs
from gensight.engine.fit import Schedule, fit
from gensight.engine.optimisation import Optimisation
from gensight.engine.run_folder import RunFolder
from gensight.loading.cases import Cases
from gensight.loading.draw_order import DrawOrder
from gensight.loading.landmark_views import PairViews
from gensight.loading.stream import CaseBatches
from gensight.methods.landmarks.method import Landmarks
from gensight.readers.puppets import PuppetsReader
from tests.learning import StoppedError
from tests.methods.landmarks import small


def train(root: Path, steps: int, method: Landmarks | None = None) -> None:
    reader = PuppetsReader(4, seed=0, size=(32, 32), truths=(), num_frames=4)
    cases = Cases(reader, LandmarkPairs(4, "both", (1, 3)), PairViews((32, 32)))
    method = method or small.method(adversary=0.1, warp_share=0.5, equivariance=0.1)
    optimisation = Optimisation(steps=steps, learning_rate=1e-3, clip=1.0)
    batches = CaseBatches(cases, DrawOrder(len(cases), 2, seed=0))
    fit(method, batches, optimisation, RunFolder(root), schedule=Schedule(2, 100, 1))


def test_an_interrupted_run_of_two_optimizer_groups_ends_bit_identical(tmp_path: Path) -> None:
    train(tmp_path / "whole", 4)
    method = small.method(adversary=0.1, warp_share=0.5, equivariance=0.1)
    losses, count = method.losses, 0

    def stopping(batch, group="model"):
        nonlocal count
        count += group == "discriminator"
        if count == 3:  # in the middle of a step, after the first group's step
            raise StoppedError
        return losses(batch, group)

    method.losses = stopping
    with pytest.raises(StoppedError):
        train(tmp_path / "stopped", 4, method)
    assert not (tmp_path / "stopped/model").exists()
    train(tmp_path / "stopped", 4)
    whole, stopped = (load_file(RunFolder(tmp_path / name).weights) for name in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    log = (tmp_path / "stopped/log/metrics.csv").read_text().splitlines()
    assert "discriminator_loss" in log[0]
