"""Visible classes are an auxiliary target of the U-Net for every instruction, in training alone."""

import math
from pathlib import Path

import pytest
import torch

from gensight.encodings.painted.instructed import LABEL, SHOWN
from gensight.methods.instruct.method import Instruct
from gensight.methods.loss import total_loss
from tests.learning import losses_of
from tests.methods.instruct import small, training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


def method(folder: Path, **options: object) -> Instruct:
    names = small.reader(1).categories
    return small.method(
        folder, way="one-step", shown_weight=0.5, label_weight=0.25, categories=names, labels=names, **options
    )


def test_it_is_added_to_the_loss_in_training_alone(folder: Path) -> None:
    batch, of = training.batch(), method(folder)
    with torch.no_grad():
        losses, plain = of.train().losses(batch), of.eval().losses(batch)
    assert "shown" not in plain
    assert {name: loss.weight for name, loss in losses.items()} == {
        "pixels": 1.0, "latents": 0.1, "shown": 0.5, "label": 0.25
    }  # fmt: skip
    read = 0.5 * losses["shown"].mean + 0.25 * losses["label"].mean
    painted = {name: losses[name] for name in plain}
    assert float(total_loss(losses) - read) == pytest.approx(float(total_loss(painted)), rel=1e-5)


@pytest.mark.parametrize("name", ["shown", "label"])
def test_it_teaches_the_blocks_before_it(folder: Path, name: str) -> None:
    of = method(folder).train()
    of.losses(training.batch())[name].mean.backward()
    unet = of.editor.backbone.unet
    assert unet.conv_in.weight.grad.abs().max() > 0
    assert unet.conv_out.weight.grad is None
    assert not unet.up_blocks[0]._forward_hooks
    assert not unet.mid_block._forward_hooks


@pytest.mark.parametrize("name", ["shown", "label"])
def test_the_classes_of_an_image_learned_by_heart_are_read_off(folder: Path, name: str) -> None:
    of, batch = method(folder).train(), training.batch()
    found = losses_of(lambda: of.losses(batch)[name].mean, of.parameters(), 3e-3, 60)
    assert found[-1] < 0.5 * found[0]


def test_the_background_counts_a_fifth_and_the_unknown_nothing(folder: Path) -> None:
    of = method(folder)
    unknown = torch.full((1, 1, 2, 2), -1)
    for reader, truth, weight in (
        (of.shown, torch.cat([torch.tensor([[[[0, 0], [2, -1]]]]), unknown]), 1.4),
        (of.label, torch.tensor([[-1], [4]]), 4.0),  # at each cell of the image whose label is known
    ):
        assert reader is not None
        with torch.no_grad():
            reader.read.bias.zero_()
            found = reader.loss(torch.zeros(2, reader.norm.num_channels, 2, 2), truth)
        assert float(found[1]) == pytest.approx(weight)
        assert float(found[0]) == pytest.approx(weight * math.log(reader.read.out_channels), rel=1e-5)


def test_without_a_vocabulary_of_labels_none_are_read(folder: Path) -> None:
    of = small.method(folder, label_weight=1.0).train()
    assert "label" not in of.losses(training.batch())


def test_a_run_keeps_what_it_reads_with(folder: Path) -> None:
    kept = method(folder).trained_state()
    assert {"shown.read.weight", "label.read.weight"} <= set(kept)
    assert {SHOWN, LABEL} <= set(training.batch().targets)
