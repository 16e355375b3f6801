"""Latents of the pool, computed once: what the denoiser learns from.

latents.json       what they were made with, their standard deviation, and how many are there
latents.f16        float16 (num_images, num_flips, channels, height, width): the latent's mode, unscaled
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from gensight.diffusion.noise import mix
from gensight.files.atomic import read_json, write_json
from gensight.files.progress import ProgressLine
from gensight.methods.pretrain.denoiser import LATENT
from gensight.methods.pretrain.pool import Pool, to_images
from gensight.samples import Array, Batch, Item, Sample

BATCH = 16
_SAVE_EVERY = 32  # batches between records of how far it has come


@dataclass(frozen=True, eq=False)
class LatentSource:
    """Batches of scaled latents with their captions.

    Attributes:
        latents: float16 (num_images, num_flips, channels, height, width), unscaled.
        pool: Of the captions.
        scaling_factor: Latents are multiplied by it.
    """

    latents: Array
    pool: Pool
    scaling_factor: float

    def __len__(self) -> int:
        return len(self.pool)

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        num_flips = self.latents.shape[1]
        flips = [mix(key, 104) % num_flips for key in keys.tolist()]
        stack = np.stack([self.latents[index, flip] for index, flip in zip(indices, flips, strict=True)])
        latents = torch.from_numpy(stack).float().mul_(self.scaling_factor)
        latents = latents.contiguous(memory_format=torch.channels_last)
        items = [Item((self._sample(index, bool(flip)),)) for index, flip in zip(indices, flips, strict=True)]
        return Batch(items=items, views=[() for _ in items], keys=keys, features=({LATENT: latents},))

    def _sample(self, index: int, flip: bool) -> Sample:
        sample = self.pool.sample(index)
        return replace(sample, caption=mirror_caption(sample.caption)) if flip and sample.caption else sample

    @property
    def deviation(self) -> float:
        """Standard deviation of the unscaled latents, from at most 2,048 of them."""
        step = max(1, len(self.latents) // 2048)
        return float(np.asarray(self.latents[::step, 0], dtype=np.float32).std())


def mirror_caption(caption: str) -> str:
    """The caption of the mirrored image: `left` and `right` trade places."""
    return re.sub(r"\b(left|right)\b", lambda word: "right" if word[0] == "left" else "left", caption)


@torch.no_grad()
def encode_pool(
    autoencoder: AutoencoderKL, pool: Pool, folder: Path, identity: str, flip: bool, device: str = "cpu"
) -> Array:
    """Encodes every pooled image (and its mirror image), going on where an earlier sitting stopped.

    Args:
        autoencoder: Trained.
        pool: Of images.
        folder: Where the latents are kept.
        identity: Hash of the autoencoder's weights; latents of others are made anew.
        flip: Whether mirror images are encoded too.

    Returns:
        float16 memory map (num_images, 1 or 2, channels, height, width).
    """
    autoencoder.to(device).eval()
    height, width = pool.settings.size
    stride = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    cells = (autoencoder.config.latent_channels, height // stride, width // stride)
    shape = (len(pool), 2 if flip else 1, *cells)
    record, data = folder / "latents.json", folder / "latents.f16"
    known = read_json(record) if record.is_file() and data.is_file() else {}
    done = known.get("done", 0) if known.get("identity") == identity and known.get("shape") == list(shape) else 0
    latents: Array = np.memmap(data, dtype=np.float16, mode="r+" if done else "w+", shape=shape)
    line = ProgressLine(len(pool), "latents", "images", done)
    starts = range(done, len(pool), BATCH)
    for number, start in enumerate(starts, 1):
        stop = min(start + BATCH, len(pool))
        images = to_images(np.array(pool.images[start:stop])).to(device) * 2 - 1
        for row, view in enumerate((images, images.flip(-1)) if flip else (images,)):
            latents[start:stop, row] = autoencoder.encode(view).latent_dist.mode().half().cpu().numpy()
        if number % _SAVE_EVERY == 0 or stop == len(pool):
            latents.flush()  # type: ignore[attr-defined]
            write_json(record, {"identity": identity, "shape": list(shape), "done": stop})
        line.show(stop)
    line.close()
    return latents
