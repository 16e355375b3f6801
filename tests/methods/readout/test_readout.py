"""The readout method: losses, noise levels, cached features, what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion
from gensight.encodings.base import OutputSpec
from gensight.errors import ConfigError
from gensight.loading.cases import collate
from gensight.loading.draw_order import Draw
from gensight.methods.loss import total_loss
from gensight.methods.readout.loss import masked_map_loss, to_unit_range
from gensight.methods.readout.method import Part, Readout
from gensight.samples import Batch
from tests.engine import small_run
from tests.learning import losses_of
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_diffusion(str(save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")))


@pytest.fixture
def batch() -> Batch:
    cases = small_run.cases()
    return collate([cases[Draw(i, 0, 100 + i)] for i in range(4)])


def readout(backbone: Backbone, **options: Any) -> Readout:
    torch.manual_seed(0)
    part = Part({"heatmaps": OutputSpec(2)}, options.pop("grid_stride", 4), options.pop("timesteps", "clean"))
    settings: dict[str, object] = {"projection": 16, "bottleneck": 8, "widths": (8, 8), **options}
    return Readout(backbone, {"dots": part}, **settings)


def test_a_frozen_backbone_gets_no_gradient_and_the_head_does(backbone: Backbone, batch: Batch) -> None:
    method = readout(backbone)
    total_loss(method.losses(batch)).backward()
    assert all(p.grad is None for p in method.backbone.parameters())
    assert all(p.grad is not None for p in method.heads.parameters())
    assert not [name for name in method.trained_state() if name.startswith("backbone")]


def test_maps_lie_on_the_grid_that_was_asked_for(backbone: Backbone, batch: Batch) -> None:
    assert readout(backbone).predict(batch)["heatmaps"].shape == (4, 2, 8, 8)
    assert readout(backbone, grid_stride=8).predict(batch)["heatmaps"].shape == (4, 2, 4, 4)


@pytest.mark.parametrize("order", ["native", "reference"])
def test_both_orders_learn(backbone: Backbone, batch: Batch, order: str) -> None:
    method = readout(backbone, order=order)
    losses = losses_of(lambda: total_loss(method.losses(batch)), method.heads.parameters(), 1e-2, 30)
    assert losses[-1] < 0.6 * losses[0]


def test_noise_levels_are_drawn_from_the_keys(backbone: Backbone, batch: Batch) -> None:
    method = readout(backbone, timesteps=(20, 400))
    first, again = method.predict(batch)["heatmaps"], method.predict(batch)["heatmaps"]
    assert torch.equal(first, again)
    other = Batch(batch.items, batch.views, batch.keys + 1, batch.images, None, batch.targets)
    assert not torch.equal(first, method.predict(other)["heatmaps"])
    assert method.heads["dots"].aggregation.num_timesteps == 2


def test_cached_features_give_the_same_outputs(backbone: Backbone, batch: Batch) -> None:
    method = readout(backbone)
    features = backbone.features(batch.image)
    slot = {**features.maps, "time_embedding": features.time_embedding}
    cached = Batch(batch.items, batch.views, batch.keys, (), (slot,), batch.targets)
    assert torch.equal(method.predict(cached)["heatmaps"], method.predict(batch)["heatmaps"])


def test_unlabelled_maps_carry_no_loss() -> None:
    maps, target = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    weight = torch.tensor([[1.0, 0, 1], [0, 0, 1]])[:, :, None, None]
    total, count = masked_map_loss(maps, target, weight, "mse")
    expected = sum((maps[i, j] - target[i, j]).square().mean() for i, j in ((0, 0), (0, 2), (1, 2)))
    assert count == 3
    assert torch.allclose(total, expected)
    empty, none = masked_map_loss(maps, target, torch.zeros(2, 3, 1, 1), "cross-entropy")
    assert (float(empty), float(none)) == (0, 0)


def test_cross_entropy_of_a_perfect_map_is_zero() -> None:
    target = torch.rand(1, 2, 4, 4) * 0.98 + 0.01
    maps = torch.logit(target)
    total, _ = masked_map_loss(maps, target, torch.ones(1, 2, 1, 1), "cross-entropy")
    assert float(total) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(to_unit_range(maps, OutputSpec(2), "cross-entropy"), target, atol=1e-6)


def test_softmax_of_a_perfect_map_is_zero_and_peaks_at_one() -> None:
    encoding = small_run.encoding()
    case = small_run.cases(augment=False)[Draw(0, 0, 0)]
    target = case.targets["heatmaps"][None]
    maps = target.clamp(min=1e-9).log()
    total, count = masked_map_loss(maps, target, torch.ones(1, 2, 1, 1), "softmax")
    assert float(total) == pytest.approx(0, abs=1e-5)
    assert count == 2
    unit = to_unit_range(maps, OutputSpec(2, "blobs", encoding.sigma), "softmax")
    assert torch.allclose(unit, target, atol=0.25)
    _, none = masked_map_loss(maps, torch.zeros_like(target), torch.ones(1, 2, 1, 1), "softmax")
    assert none == 0
    with pytest.raises(ConfigError, match="hold no single blob: heatmaps"):
        Readout(small_run.method().backbone, {"dots": Part({"heatmaps": OutputSpec(2)}, 4)}, loss="softmax")


def test_what_cannot_be_read_out_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="makes maps, but the encoding asks for vectors: score"):
        Readout(backbone, {"score": Part({"score": OutputSpec(1, "vector")}, 4)})
    with pytest.raises(ConfigError, match="a plain encoder has no noise levels"):
        readout(small_run.method().backbone, timesteps=(20,))


def test_a_fine_tuned_backbone_is_trained_and_saved(tmp_path: Path, batch: Batch) -> None:
    backbone = load_diffusion(str(save_pipeline(tmp_path / "p")), trainable="lora", lora_rank=2)
    method = readout(backbone)
    total_loss(method.losses(batch)).backward()
    assert [name for name in method.trained_state() if "lora" in name]
    assert len(method.parameter_groups()) == 2
