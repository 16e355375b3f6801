"""The specialist classifier: its loss by hand, what learns, and that an interrupted training ends the same."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from gensight.backbones.scratch import ScratchEncoder
from gensight.engine.fit import Schedule, fit
from gensight.engine.optimisation import Optimisation
from gensight.engine.run_folder import RunFolder
from gensight.loading.draw_order import DrawOrder
from gensight.loading.stream import CaseBatches
from gensight.methods.classifier.method import Classifier, cross_entropy
from gensight.methods.loss import Loss, total_loss
from gensight.samples import Batch
from tests.learning import StoppedError
from tests.methods.classifier import small

SGD = Optimisation(steps=8, learning_rate=0.05, optimiser="sgd", momentum=0.9, schedule="cosine", weight_decay=1e-4)


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [2.0, 2.0]])
    target = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    torch.testing.assert_close(cross_entropy(logits, target), torch.tensor([math.log(4 / 3), 0.0]))


def test_it_begins_undecided_and_answers_with_probabilities() -> None:
    method = small.method().eval()
    answer = method.predict(small.batch())["class"]
    torch.testing.assert_close(answer, torch.full((4, 3), 1 / 3))
    assert float(total_loss(method.losses(small.batch())).detach()) == pytest.approx(math.log(3))


def test_unlabelled_items_do_not_count() -> None:
    method, batch = small.method().eval(), small.batch(4)
    torch.nn.init.normal_(method.head.weight, generator=torch.Generator().manual_seed(1))
    known = replace(batch, targets={name: target.clone() for name, target in batch.targets.items()})
    known.targets["class"][2:], known.targets["class_weight"][2:] = 0, 0
    two = small.batch(2)
    torch.testing.assert_close(total_loss(method.losses(known)), total_loss(method.losses(two)))
    known.targets["class_weight"][:], known.targets["class"][:] = 0, 0
    assert float(total_loss(method.losses(known)).detach()) == 0


def test_a_frozen_backbone_leaves_the_layer_alone_to_learn() -> None:
    method = small.method(trainable=False).train()
    assert len(method.parameter_groups()) == 1
    assert set(method.trained_state()) == {"head.weight", "head.bias"}
    total_loss(method.losses(small.batch())).backward()
    assert all(parameter.grad is None for parameter in method.backbone.parameters())
    whole = small.method()
    assert any(name.endswith("running_mean") for name in whole.trained_state())


def test_any_backbone_can_be_probed() -> None:
    backbone = ScratchEncoder(widths=(8, 8, 16))
    assert Classifier(backbone, 3).eval().predict(small.batch())["class"].shape == (4, 3)
    assert backbone.pooled_channels == 8 + 16


def train(root: Path, method: Classifier, optimisation: Optimisation = SGD) -> dict[str, Tensor]:
    cases = small.cases()
    batches, schedule = CaseBatches(cases, DrawOrder(len(cases), 4, seed=0)), Schedule(checkpoint_every=2, log_every=2)
    fit(method, batches, optimisation, RunFolder(root), schedule=schedule)
    return load_file(RunFolder(root).weights)


def test_a_training_that_was_stopped_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", small.method())
    method, count = small.method(), 0
    losses = method.losses

    def stopping(batch: Batch, group: str = "model") -> dict[str, Loss]:
        nonlocal count
        count += 1
        if count == 6:
            raise StoppedError
        return losses(batch, group)

    method.losses = stopping  # type: ignore[method-assign]
    with pytest.raises(StoppedError):
        train(tmp_path / "stopped", method)
    stopped = train(tmp_path / "stopped", small.method())
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_sgd_with_momentum_learns_the_colours(tmp_path: Path) -> None:
    method = small.method()
    train(tmp_path, method, replace(SGD, steps=60))
    batch = small.batch(12)
    predicted = method.eval().predict(batch)["class"].argmax(1)
    assert (predicted == batch.targets["class"].argmax(1)).float().mean() > 0.8
    rows = (tmp_path / "log/metrics.csv").read_text().splitlines()
    assert "loss" in rows[0].split(",")
