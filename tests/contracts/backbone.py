"""Contract tests of backbones. The test class of each backbone inherits this and defines how to make one."""

import pytest
import torch

from gensight.backbones.base import Backbone
from gensight.errors import ConfigError


class BackboneContract:
    """Inherit as `class TestMine(BackboneContract)` and override `make`."""

    size = (48, 80)  # not square, and not a multiple of the deepest stride where a backbone takes that

    def make(self) -> Backbone:
        """A small backbone, the same at each call."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def backbone(self) -> Backbone:
        return self.make()

    @pytest.fixture(scope="class")
    def images(self) -> torch.Tensor:
        return torch.rand(2, 3, *self.size, generator=torch.Generator().manual_seed(0))

    def test_layer_table_describes_what_comes(self, backbone, images):
        maps = backbone.features(images).maps
        table = backbone.layer_table(self.size)
        assert list(maps) == [name for name, _, _ in table] == [layer.name for layer in backbone.layers]
        for name, channels, size in table:
            assert maps[name].shape == (2, channels, *size), name

    def test_time_embedding_is_as_declared(self, backbone, images):
        embedding = backbone.features(images).time_embedding
        if backbone.time_channels is None:
            assert embedding is None
        else:
            assert embedding.shape == (2, backbone.time_channels)

    def test_features_repeat(self, backbone, images):
        once, twice = backbone.features(images), backbone.features(images)
        for name, maps in once.maps.items():
            assert torch.equal(maps, twice.maps[name]), name

    def test_images_of_a_batch_do_not_mix(self, backbone, images):
        both, alone = backbone.features(images), backbone.features(images[1:])
        for name, maps in alone.maps.items():
            torch.testing.assert_close(both.maps[name][1:], maps, rtol=1e-3, atol=1e-4)

    def test_features_differ_between_images(self, backbone, images):
        for name, maps in backbone.features(images).maps.items():
            assert not torch.allclose(maps[0], maps[1]), name

    def test_gradients_reach_the_images(self, backbone, images):
        images = images.clone().requires_grad_(True)
        sum(maps.float().square().mean() for maps in backbone.features(images).maps.values()).backward()
        assert images.grad is not None
        assert images.grad.abs().sum() > 0

    def test_what_is_trained_is_as_declared(self, backbone):
        assert any(parameter.requires_grad for parameter in backbone.parameters()) == backbone.trainable

    def test_a_frozen_backbone_stays_in_evaluation_mode(self, backbone):
        backbone.train()
        if not backbone.trainable:
            assert not any(part.training for part in backbone.modules() if part is not backbone)
        backbone.eval()

    def test_fingerprint_is_of_the_weights(self, backbone):
        other = self.make()
        assert other.fingerprint() == backbone.fingerprint()
        with torch.no_grad():
            next(p for p in other.parameters() if p.ndim == 4).mul_(1.5)
        other._weights_hash = None
        assert other.fingerprint() != backbone.fingerprint()

    def test_an_image_that_does_not_fit_is_refused(self, backbone):
        with pytest.raises(ConfigError, match=f"don't fit a backbone of stride {backbone.stride}"):
            backbone.features(torch.zeros(1, 3, backbone.stride * 2, backbone.stride * 2 + 1))
