"""What an image shows is taught whatever is asked: to the U-Net, in training alone."""

import math
from pathlib import Path

import pytest
import torch

from gensight.encodings.instructed import LABEL, SHOWN
from gensight.methods.instruct.method import Instruct
from gensight.methods.instruct.shown import ShownReader
from tests.learning import losses_of
from tests.methods.instruct import small, training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


def method(folder: Path, **options: object) -> Instruct:
    names = small.reader(1).categories
    return small.method(folder, way="one-step", shown_weight=0.5, categories=names, labels=names, **options)


def test_it_is_added_to_the_loss_in_training_alone(folder: Path) -> None:
    batch, of = training.batch(), method(folder)
    with torch.no_grad():
        losses, plain = of.train().losses(batch), of.eval().losses(batch)
    assert "shown" not in plain
    assert float(losses["loss"] - 0.5 * (losses["shown"] + losses["label"])) == pytest.approx(
        float(losses["pixels"] + 0.1 * losses["latents"]), rel=1e-5
    )


@pytest.mark.parametrize("name", ["shown", "label"])
def test_it_teaches_the_blocks_before_it(folder: Path, name: str) -> None:
    of = method(folder).train()
    of.losses(training.batch())[name].backward()
    unet = of.editor.backbone.unet
    assert unet.conv_in.weight.grad.abs().max() > 0
    assert unet.conv_out.weight.grad is None
    assert not unet.up_blocks[0]._forward_hooks
    assert not unet.mid_block._forward_hooks


@pytest.mark.parametrize("name", ["shown", "label"])
def test_the_classes_of_an_image_learned_by_heart_are_read_off(folder: Path, name: str) -> None:
    of, batch = method(folder).train(), training.batch()
    found = losses_of(lambda: of.losses(batch)[name], of.parameters(), 3e-3, 60)
    assert found[-1] < 0.5 * found[0]


def test_the_background_counts_a_fifth_and_the_unknown_nothing(folder: Path) -> None:
    reader = ShownReader(method(folder).editor.backbone.unet, 3, 5)
    features = [torch.zeros(2, reader.norm.num_channels, 2, 2), torch.zeros(2, reader.label_norm.num_channels, 1, 3)]
    with torch.no_grad():
        reader.read.bias.zero_()
        reader.read_label.bias.zero_()
        unknown = torch.full((1, 1, 2, 2), -1)
        places = torch.cat([torch.tensor([[[[0, 0], [2, -1]]]]), unknown])
        found = reader.losses(features, places, torch.tensor([[-1], [4]]))
    for name, weight, choices in (("shown", 1.4, 4), ("label", 3.0, 5)):  # of the label each cell of the known image
        assert float(found[name][1]) == pytest.approx(weight)
        assert float(found[name][0]) == pytest.approx(weight * math.log(choices), rel=1e-5)


def test_a_run_keeps_what_it_reads_with(folder: Path) -> None:
    assert any(name.startswith("shown.") for name in method(folder).trained_state())
    assert {SHOWN, LABEL} <= set(training.batch().targets)
