"""The first losses of every method, on CPU: a refactor leaves them, and changing one is a reviewed act.

Regenerate with `python -m tests.golden.test_first_losses` and say why in the commit.
"""

import json
import tempfile
from pathlib import Path

import pytest
import torch

from gensight.engine.module import Optimisation
from gensight.loading.draw_order import DrawOrder
from gensight.loading.stream import BatchStream
from gensight.methods.base import Method
from gensight.methods.loss import total_loss
from gensight.methods.readout.method import Readout
from tests.engine import small_run
from tests.methods.classifier import small as small_classifier
from tests.methods.gaze import small as small_gaze
from tests.methods.instruct import small as small_instruct
from tests.methods.landmarks import small as small_landmarks

GOLDEN = Path(__file__).parent / "first_losses.json"
NUM_STEPS = 5


def first_losses(method: Readout) -> list[float]:
    cases = small_run.cases()
    optimiser = torch.optim.AdamW(method.parameters(), 1e-3)
    losses = []
    for batch, _ in zip(BatchStream(cases, DrawOrder(len(cases), 4, 0)), range(NUM_STEPS), strict=False):
        loss = total_loss(method.losses(batch))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def first_landmark_losses() -> list[float]:
    """Both players', in turn."""
    method = small_landmarks.method(adversary=0.1, equivariance=0.1, warp_share=0.5).train()
    optimisers = {player: torch.optim.AdamW(method.parameter_groups(player), 1e-3) for player in method.players}
    losses = []
    for step in range(NUM_STEPS):
        batch = small_landmarks.batch((2 * step, 2 * step + 1))
        for player, optimiser in optimisers.items():
            loss = total_loss(method.losses(batch, player))
            optimiser.zero_grad()
            loss.backward(inputs=optimiser.param_groups[0]["params"])
            optimiser.step()
            losses.append(float(loss.detach()))
    return losses


def first_gaze_losses(method: Method) -> list[float]:
    optimiser = torch.optim.AdamW(method.parameter_groups()[0]["params"], 1e-3)
    losses = []
    for step in range(NUM_STEPS):
        loss = total_loss(method.train().losses(small_gaze.batch(4, step)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def first_instruct_losses(way: str) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        decoder = {"train_decoder": True} if way == "one-step" else {}
        method = small_instruct.method(Path(folder), way=way, train_text=True, **decoder).train()
    optimiser = torch.optim.AdamW(method.parameter_groups()[0]["params"], 1e-3)
    losses = []
    for step in range(NUM_STEPS):
        loss = total_loss(method.losses(small_instruct.batch(2, step)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def first_classifier_losses() -> list[float]:
    """By SGD with momentum, as its recipes learn."""
    method = small_classifier.method().train()
    optimiser = Optimisation(NUM_STEPS, 0.05, optimiser="sgd").build(method.parameter_groups())
    losses = []
    for step in range(NUM_STEPS):
        loss = total_loss(method.losses(small_classifier.batch(4, step)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


FIRST = {
    "classifier": first_classifier_losses,
    "instruct-many-step": lambda: first_instruct_losses("many-step"),
    "instruct-one-step": lambda: first_instruct_losses("one-step"),
    "readout": lambda: first_losses(small_run.method()),
    "landmarks": first_landmark_losses,
    "gaze-frozen": lambda: first_gaze_losses(small_gaze.frozen(close_up=2)),
    "gaze-convolutional": lambda: first_gaze_losses(small_gaze.convolutional()),
    "gaze-diffusion": lambda: first_gaze_losses(small_gaze.diffusion(sigma_range=(1.0, 2.0))),
}


@pytest.mark.parametrize("method", FIRST)
def test_first_losses(method: str) -> None:
    """1e-5 anywhere; bit-identity under one build is what the resume tests hold."""
    known = json.loads(GOLDEN.read_text())[method]
    assert FIRST[method]() == pytest.approx(known, rel=1e-5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.write_text(json.dumps({name: losses() for name, losses in FIRST.items()}, indent=1) + "\n")
