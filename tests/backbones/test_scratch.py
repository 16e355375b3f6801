import pytest
import torch

from gensight.backbones.scratch import ScratchEncoder
from gensight.errors import ConfigError
from tests.contracts.backbone import BackboneContract


class TestScratch(BackboneContract):
    def make(self):
        return ScratchEncoder(widths=(8, 8, 16, 24))


def test_layers():
    layers = ScratchEncoder().layers
    assert [(layer.name, layer.channels, layer.stride) for layer in layers] == [
        ("decoder.16", 192, 16),
        ("decoder.8", 128, 8),
        ("decoder.4", 64, 4),
    ]


def test_every_parameter_learns():
    backbone = ScratchEncoder(widths=(8, 8, 16))
    backbone.features(torch.rand(1, 3, 16, 24)).maps["decoder.4"].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_seed_decides_and_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    prints = [ScratchEncoder(widths=(8, 8, 16), seed=seed).fingerprint() for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(1), expected)
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("widths", [(8, 16), (8, 0, 8)])
def test_bad_widths(widths):
    with pytest.raises(ConfigError, match="can't be built with widths"):
        ScratchEncoder(widths)
