"""Pipelines of the real sizes, with random weights, through the ordinary path. Prints time and memory."""

import resource
import shutil
import time

import pytest
import torch

from gensight.backbones.diffusion import load_diffusion
from gensight.heads.aggregation import Aggregation
from gensight.heads.maps import MapHead
from tests.pipelines import save_pipeline

pytestmark = pytest.mark.slow

FULL_SIZES = {
    # family: image side, channels, strides
    "sd": (512, [1280] * 6 + [640] * 3 + [320] * 3, [64] * 3 + [32] * 3 + [16] * 3 + [8] * 3),
    "xl": (1024, [1280] * 3 + [640] * 3 + [320] * 3, [32] * 3 + [16] * 3 + [8] * 3),
}


class Report:
    """Prints what each stage took."""

    def __init__(self, title):
        self.title, self.begun = title, time.perf_counter()

    def __call__(self, stage):
        now, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"\n{self.title}: {stage:22} {now - self.begun:7.1f} s, peak so far {peak:5.1f} GB", end="", flush=True)
        self.begun = now


@pytest.mark.parametrize(("family", "dtype"), [("sd", "float32"), ("xl", "bfloat16")])
def test_features_and_one_training_step(tmp_path, family, dtype):
    side, channels, strides = FULL_SIZES[family]
    report = Report(f"{family} in {dtype}")
    folder = save_pipeline(tmp_path / family, family, full_size=True, dtype=torch.bfloat16)
    report("made and saved")
    backbone = load_diffusion(folder, dtype=dtype)
    shutil.rmtree(folder)
    report("loaded")
    assert [layer.channels for layer in backbone.layers] == channels
    assert [layer.stride for layer in backbone.layers] == strides
    assert sum(channels) == {"sd": 10_560, "xl": 6_720}[family]
    assert backbone.time_channels == 1280
    images = torch.rand(1, 3, side, side)
    features = backbone.features(images)
    report(f"features at {side} px")
    for layer in backbone.layers:
        maps = features.maps[layer.name]
        assert maps.shape == (1, layer.channels, side // layer.stride, side // layer.stride)
        assert maps.isfinite().all()
    assert features.time_embedding.shape == (1, 1280)
    megabytes = 2 * sum(maps.numel() for maps in features.maps.values()) / 1e6
    assert megabytes == pytest.approx({"sd": 14.3, "xl": 55}[family], rel=0.01)
    _train_a_step(backbone, features, (side // 8, side // 8))
    report("one training step")
    print(f"\n{family}: {sum(p.numel() for p in backbone.unet.parameters()) / 1e6:.0f} M parameters in the U-Net")


def _train_a_step(backbone, features, grid_size):
    aggregation, head = Aggregation(backbone.layers, backbone.time_channels), MapHead(384, 18)
    parameters = [*aggregation.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    before = [p.detach().clone() for p in parameters]
    maps = head(aggregation(features), grid_size)
    assert maps.shape == (1, 18, *grid_size)
    (maps - torch.rand_like(maps)).square().mean().backward()
    optimizer.step()
    assert all(not torch.equal(p, old) for p, old in zip(parameters, before, strict=True))
