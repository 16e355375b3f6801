"""The first losses of every method, on CPU: a refactor leaves them, and changing one is a reviewed act.

Regenerate with `python -m tests.golden.test_first_losses` and say why in the commit.
"""

import json
from pathlib import Path

import pytest
import torch

from gensight.loading.draws import DrawOrder
from gensight.loading.stream import BatchStream
from gensight.methods.readout.method import Readout
from tests.engine import small_run

GOLDEN = Path(__file__).parent / "first_losses.json"
NUM_STEPS = 5


def first_losses(method: Readout) -> list[float]:
    cases = small_run.cases()
    optimiser = torch.optim.AdamW(method.parameters(), 1e-3)
    losses = []
    for batch, _ in zip(BatchStream(cases, DrawOrder(len(cases), 4, 0)), range(NUM_STEPS), strict=False):
        loss = method.losses(batch)["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def all_first_losses() -> dict[str, list[float]]:
    return {"readout": first_losses(small_run.method())}


@pytest.mark.parametrize("method", ["readout"])
def test_first_losses(method: str) -> None:
    """1e-5 anywhere; bit-identity under one build is what the resume tests hold."""
    known = json.loads(GOLDEN.read_text())[method]
    assert all_first_losses()[method] == pytest.approx(known, rel=1e-5)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(all_first_losses(), indent=1) + "\n")
