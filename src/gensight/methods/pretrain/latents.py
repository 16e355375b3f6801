"""Latents of the pool, computed once: what the denoiser learns from.

latents.json       what they were made with, their standard deviation, and how many are there
latents.f16        float16 (num_images, num_flips, channels, height, width): the latent's mode, unscaled
alignment.*        the same of an image encoder's maps, where the denoiser is aligned with them; not mirrored
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from gensight.backbones.imagenet import CHANNELS, ImagenetEncoder
from gensight.diffusion.noise import mix
from gensight.files.atomic import read_json, write_json
from gensight.files.progress import ProgressLine
from gensight.methods.pretrain.alignment import STRIDE
from gensight.methods.pretrain.denoiser import ALIGNMENT, LATENT
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
        alignment: float16 (num_images, 1, channels, rows, columns), an image encoder's maps; None for none.
    """

    latents: Array
    pool: Pool
    scaling_factor: float
    alignment: Array | None = None

    def __len__(self) -> int:
        return len(self.pool)

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        num_flips = self.latents.shape[1]
        flips = [mix(key, 104) % num_flips for key in keys.tolist()]
        stack = np.stack([self.latents[index, flip] for index, flip in zip(indices, flips, strict=True)])
        latents = torch.from_numpy(stack).float().mul_(self.scaling_factor)
        latents = latents.contiguous(memory_format=torch.channels_last)
        items = [Item((self._sample(index, bool(flip)),)) for index, flip in zip(indices, flips, strict=True)]
        features = {LATENT: latents}
        if self.alignment is not None:
            pairs = zip(indices, flips, strict=True)
            maps = [self.alignment[index, 0, :, :, :: -1 if flip else 1] for index, flip in pairs]
            features[ALIGNMENT] = torch.from_numpy(np.stack(maps)).float()
        return Batch(items=items, views=[() for _ in items], keys=keys, features=(features,))

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
    """Encodes every pooled image (and its mirror image), resuming an interrupted run.

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

    def encode(images: Tensor) -> list[Tensor]:
        images = images.to(device) * 2 - 1
        views = (images, images.flip(-1)) if flip else (images,)
        return [autoencoder.encode(view).latent_dist.mode() for view in views]

    return _computed(pool, folder, "latents", identity, (2 if flip else 1, *cells), encode)


def align_pool(encoder: ImagenetEncoder, pool: Pool, folder: Path, identity: str, device: str = "cpu") -> Array:
    """The encoder's maps of every pooled image, resuming an interrupted run.

    Mirror images take the mirrored map: on clean `puppets` its cosine with the mirror image's own, less their mean, is
    0.81.

    Returns:
        float16 memory map (num_images, 1, channels, height / 16, width / 16).
    """
    encoder.to(device)
    height, width = pool.settings.size
    cells = (CHANNELS[STRIDE], height // STRIDE, width // STRIDE)

    def maps(images: Tensor) -> list[Tensor]:
        return [encoder.maps(images.to(device), (STRIDE,))[STRIDE]]

    return _computed(pool, folder, "alignment", identity, (1, *cells), maps)


def alignment_mean(maps: Array) -> Tensor:
    """float32 (channels,): mean over cells and at most 2,048 of the images."""
    step = max(1, len(maps) // 2048)
    return torch.from_numpy(np.asarray(maps[::step], dtype=np.float32).mean((0, 1, 3, 4)))


@torch.no_grad()
def _computed(
    pool: Pool,
    folder: Path,
    name: str,
    identity: str,
    shape_of_one: tuple[int, ...],
    function: Callable[[Tensor], list[Tensor]],
) -> Array:
    """What `function` gives for all images in [0, 1], one tensor (batch, ...) per view, kept in `folder/name.f16`."""
    shape = (len(pool), *shape_of_one)
    record, data = folder / f"{name}.json", folder / f"{name}.f16"
    known = read_json(record) if record.is_file() and data.is_file() else {}
    done = known.get("done", 0) if known.get("identity") == identity and known.get("shape") == list(shape) else 0
    kept: Array = np.memmap(data, dtype=np.float16, mode="r+" if done else "w+", shape=shape)
    line = ProgressLine(len(pool), name, "images", done)
    for number, start in enumerate(range(done, len(pool), BATCH), 1):
        stop = min(start + BATCH, len(pool))
        for row, value in enumerate(function(to_images(np.array(pool.images[start:stop])))):
            kept[start:stop, row] = value.half().cpu().numpy()
        if number % _SAVE_EVERY == 0 or stop == len(pool):
            kept.flush()  # type: ignore[attr-defined]
            write_json(record, {"identity": identity, "shape": list(shape), "done": stop})
        line.show(stop)
    line.close()
    return kept
