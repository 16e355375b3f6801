"""An epoch of features from the cache, against one that runs the backbone: an SD 1.5-shaped U-Net with random weights.

Both sides go through the loader and end with the same tensors in batches; the images are noise of 512 px. An epoch is
`NUM_IMAGES` images long, and the cached one is the mean of several. Target: at least 20 x faster.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from gensight.backbones.cache import FeatureCache, cached_features
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.pretrained import PipelineParts
from gensight.backbones.text import TextEmbedding
from gensight.encodings.base import Encoding, OutputSpec
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.loading.views import ViewPolicy
from gensight.readers.base import Reader, Summary
from gensight.samples import Array, Item, Prediction, Sample, Size, View

NUM_IMAGES, BATCH, SIZE, NUM_CACHED_EPOCHS, MIN_SPEEDUP = 4, 2, (512, 512), 5, 20.0


class Noise(Reader):
    """Images of noise, without labels."""

    name = "noise"

    def __len__(self) -> int:
        return NUM_IMAGES

    def sample(self, index: int) -> Sample:
        return Sample(str(index), SIZE, partial(_pixels, index))

    def check(self) -> Summary:
        return Summary(NUM_IMAGES, 0, ())


def _pixels(seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


class Unasked(Encoding):
    """An encoding without targets, so that only features are timed."""

    name = "unasked"

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {}

    def items(self, sample: Sample) -> list[Item]:
        return [Item((sample,))]

    def grid_size(self, model_size: Size) -> Size:
        return model_size

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        return {}

    def decode(self, outputs: object, item: Item, views: tuple[View, ...]) -> Prediction:
        raise NotImplementedError


class Promptless(DiffusionBackbone):
    """Its text encoder, which runs once for a whole training, is left out, and replaced by what it would return."""

    def embed_text(self, prompts: object) -> TextEmbedding:
        return TextEmbedding(torch.zeros(1, 77, 768))


def sd_shaped() -> DiffusionBackbone:
    """U-Net and autoencoder of SD 1.5's shape."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    widths = (128, 256, 512, 512)
    vae = AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
    )
    return Promptless(PipelineParts(unet, vae, (), (), DDPMScheduler()))


def main() -> int:
    backbone = sd_shaped()
    cases = Cases(Noise(), Unasked(), ViewPolicy(SIZE))
    begun = time.perf_counter()
    with torch.no_grad():
        for batch in each_once(cases, BATCH):
            backbone.features(batch.image)
    running = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder), backbone)
        source = cached_features(cache, cases, 1, batch_size=BATCH)
        cached_cases = Cases(Noise(), Unasked(), ViewPolicy(SIZE), features=source)
        begun = time.perf_counter()
        for _ in range(NUM_CACHED_EPOCHS):
            for batch in each_once(cached_cases, BATCH):
                assert batch.features is not None
        reading = (time.perf_counter() - begun) / NUM_CACHED_EPOCHS
        megabytes = cache.num_bytes(SIZE, 1) / 1e6
    print(f"running  {running / NUM_IMAGES:8.3f} s an image")
    print(f"cached   {reading / NUM_IMAGES:8.3f} s an image, {megabytes:.1f} MB on disk")
    met = running >= MIN_SPEEDUP * reading
    print(
        f"feature cache, SD 1.5 shapes: an epoch is {running / reading:.0f} x faster "
        f"(target {MIN_SPEEDUP:.0f} or more): {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
