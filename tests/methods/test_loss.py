"""Losses: one process and two, each with half of the batch, have the same loss and gradient, under every method."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gensight.methods.base import Method
from gensight.methods.loss import Loss, Reduced, reduce_losses, total_loss
from gensight.samples import Batch
from tests.engine import small_run
from tests.methods.classifier import small as small_classifier
from tests.methods.gaze import small as small_gaze
from tests.methods.instruct import training as small_instruct
from tests.methods.landmarks import small as small_landmarks
from tests.methods.pretrain import small as small_pretrain

Case = tuple[Method, Batch]


def uneven_classifier() -> Method:
    """Its last layer begins at zero, which has one loss whatever the image."""
    method = small_classifier.method()
    torch.nn.init.normal_(method.head.weight)
    return method


MASKED: dict[str, Callable[[Path], Case]] = {
    "readout": lambda _: (small_run.method(), small_run.batch()),
    "gaze-frozen": lambda _: (small_gaze.frozen(close_up=2, direction_weight=0.5), small_gaze.batch()),
    "gaze-convolutional": lambda _: (small_gaze.convolutional(True, direction_weight=0.5), small_gaze.batch()),
    "gaze-diffusion": lambda _: (
        small_gaze.diffusion(True, direction_weight=1.0, point_weight=1.0),
        small_gaze.batch(),
    ),
    "instruct-many-step": lambda folder: (small_instruct.method(folder, "many-step"), small_instruct.batch()),
    "instruct-one-step": lambda folder: (small_instruct.method(folder, "one-step"), small_instruct.batch()),
    "classifier": lambda _: (uneven_classifier(), small_classifier.batch()),
}
UNMASKED: dict[str, Callable[[Path], Case]] = {
    "landmarks": lambda _: (
        small_landmarks.method(adversary=0.1, equivariance=1.0, separation=1.0, warp_share=0.5),
        small_landmarks.batch((5, 6, 7, 8)),
    ),
    "autoencoder": lambda _: small_pretrain.autoencoder_case(),
    "denoiser": lambda _: small_pretrain.denoiser_case(),
}


def rows_of(batch: Batch, rows: list[int]) -> Batch:
    """Some items of a batch, as a process of several is given them."""
    features = batch.features
    if features is not None:
        features = tuple({name: tensor[rows] for name, tensor in slot.items()} for slot in features)
    return replace(
        batch,
        items=[batch.items[row] for row in rows],
        views=[batch.views[row] for row in rows],
        keys=batch.keys[rows],
        images=tuple(images[rows] for images in batch.images),
        features=features,
        targets={name: target[rows] for name, target in batch.targets.items()},
    )


def forget_first(batch: Batch) -> None:
    """Nothing is labelled of the first item any more, so that the halves of a batch have other counts."""
    for name, target in batch.targets.items():
        if name.endswith("_weight"):
            target[0] = 0
        elif name in ("shown", "label"):
            target[0] = -1


def keep_statistics(method: Method) -> None:
    """Modules with buffers (batch statistics, spectral norms) leave them: each process has its own of those."""
    for module in method.train().modules():
        if module is not method and any(True for _ in module.buffers(recurse=False)):
            module.training = False


def gradients(method: Method, group: str) -> list[torch.Tensor]:
    parameters = [one for entry in method.parameter_groups(group) for one in entry["params"]]
    found = [torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in parameters]
    method.zero_grad()
    return found


def reduced_together(processes: list[dict[str, Loss]]) -> list[Reduced]:
    """What each process gets, where the sums over processes are made here."""
    sent: list[torch.Tensor] = []

    def note(values: torch.Tensor) -> torch.Tensor:
        sent.append(values)
        return values

    for losses in processes:
        reduce_losses(losses, note)
    together = torch.stack(sent).sum(0)
    return [reduce_losses(losses, lambda _: together) for losses in processes]


@pytest.mark.parametrize("name", [*MASKED, *UNMASKED])
def test_two_processes_have_the_loss_and_the_gradient_of_one(name: str, tmp_path: Path) -> None:
    method, batch = {**MASKED, **UNMASKED}[name](tmp_path)
    keep_statistics(method)
    forget_first(batch)
    halves = [rows_of(batch, list(range(rank, len(batch), 2))) for rank in range(2)]
    for group in method.optimizer_groups:
        whole = total_loss(method.losses(batch, group))
        whole.backward()
        expected_loss = float(whole.detach())
        expected = gradients(method, group)
        parts = [method.losses(half, group) for half in halves]
        reduced = reduced_together(parts)
        torch.stack([one.share for one in reduced]).sum().backward()
        for one in reduced:
            assert float(one.values["loss"]) == pytest.approx(expected_loss, rel=1e-4)
            assert one.values.keys() == {"loss", *parts[0]}
        scale = max(float(one.abs().max()) for one in expected)
        for ours, theirs in zip(gradients(method, group), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * scale)
        means = sum(float(total_loss(part).detach()) for part in parts) / 2
        assert (means == pytest.approx(expected_loss, rel=1e-3)) == (name in UNMASKED)


def test_a_term_is_its_sum_over_its_count() -> None:
    errors, weights = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 0.0, 1.0])
    assert float(Loss.over(errors).mean) == 3
    assert float(Loss.over(errors, weights).mean) == 3.5
    assert float(Loss.over(errors, 0 * weights).mean) == 0
    assert float(Loss.of_mean(torch.tensor(0.25), 3).sum) == 0.75


def test_the_total_is_the_weighted_sum_and_a_weight_of_0_is_logged_alone() -> None:
    losses = {
        "map": Loss(torch.tensor(6.0), torch.tensor(3.0), 10.0),
        "edge": Loss(torch.tensor(1.0), torch.tensor(2.0)),
        "noted": Loss(torch.tensor(4.0), torch.tensor(1.0), 0.0),
    }
    assert float(total_loss(losses)) == 20.5
    reduced = reduce_losses(losses)
    assert float(reduced.share) == 20.5
    assert {name: float(value) for name, value in reduced.values.items()} == {
        "loss": 20.5, "map": 2.0, "edge": 0.5, "noted": 4.0
    }  # fmt: skip


def test_a_method_without_a_term_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one loss"):
        total_loss({})
