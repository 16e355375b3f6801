"""Latents of the pool, computed once: what the denoiser learns from.

latents.json       what they were made with, their standard deviation, and how many are there
latents.f16        float16 (num_images, num_flips, channels, height, width): the latent's mode, unscaled
alignment.f16      float16 (num_images, channels, rows, columns): an image encoder's maps, where they are learned from
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from gensight.backbones.imagenet import CHANNELS, ImagenetEncoder
from gensight.backbones.pretrained import latent_stride
from gensight.files.atomic import read_json, write_json
from gensight.files.hashing import mix
from gensight.files.progress import ProgressLine
from gensight.methods.pretrain.alignment import STRIDE
from gensight.methods.pretrain.denoiser import ALIGNMENT, LATENT
from gensight.methods.pretrain.pool import Pool, to_images
from gensight.samples import Array, Batch, Item, Sample

BATCH = 16


@dataclass(frozen=True, eq=False)
class LatentSource:
    """Batches of scaled latents with their captions.

    Attributes:
        latents: float16 (num_images, num_flips, channels, height, width), unscaled.
        pool: Of the captions.
        scaling_factor: Latents are multiplied by it.
        alignment: float16 (num_images, channels, rows, columns), an image encoder's maps; None for none.
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
            maps = [self.alignment[index, :, :, :: -1 if flip else 1] for index, flip in pairs]
            features[ALIGNMENT] = torch.from_numpy(np.stack(maps)).float()
        return Batch(items=items, views=[() for _ in items], keys=keys, features=(features,))

    def _sample(self, index: int, flip: bool) -> Sample:
        sample = self.pool.sample(index)
        return replace(sample, caption=mirror_caption(sample.caption)) if flip and sample.caption else sample


def latent_deviation(latents: Array) -> float:
    """Standard deviation of unscaled latents, as `LatentSource` has them, from at most 2,048 of them."""
    return float(_some(latents[:, 0]).std())


def alignment_mean(maps: Array) -> Tensor:
    """float32 (channels,): mean over cells and at most 2,048 of the images."""
    return torch.from_numpy(_some(maps).mean((0, 2, 3)))


def _some(arrays: Array) -> Array:
    return np.asarray(arrays[:: max(1, len(arrays) // 2048)], dtype=np.float32)


def mirror_caption(caption: str) -> str:
    """The caption of the mirrored image: `left` and `right` trade places."""
    return re.sub(r"\b(left|right)\b", lambda word: "right" if word[0] == "left" else "left", caption)


@torch.no_grad()
def encode_pool(
    autoencoder: AutoencoderKL,
    pool: Pool,
    folder: Path,
    identity: str,
    flip: bool,
    device: str = "cpu",
    encoder: ImagenetEncoder | None = None,
) -> tuple[Array, Array | None]:
    """Encodes every pooled image (and its mirror image), resuming an interrupted run.

    Args:
        autoencoder: Trained.
        pool: Of images.
        folder: Where the latents are kept.
        identity: Hash of the autoencoder's weights; latents of others are made anew.
        flip: Whether mirror images are encoded too.
        device: Of the arithmetic.
        encoder: Gives the maps that the denoiser is aligned with; None for none. Mirror images take the mirrored map:
            on clean `puppets` its cosine with the mirror image's own, both less their mean, is 0.81.

    Returns:
        Two float16 memory maps: latents (num_images, 1 or 2, channels, height, width), and the encoder's maps
        (num_images, channels, height / 16, width / 16) or None.
    """
    autoencoder.to(device).eval()
    arrays, done = _open_arrays(folder, identity, _shapes(autoencoder, pool, flip, encoder is not None))
    line = ProgressLine(len(pool), "latents", "images", done)
    for start, pixels in pool.blocks(done):
        for first in range(0, len(pixels), BATCH):
            images = to_images(pixels[first : first + BATCH]).to(device)
            rows = slice(start + first, start + first + len(images))
            for view, mirrored in enumerate((False, True) if flip else (False,)):
                shown = (images.flip(-1) if mirrored else images) * 2 - 1
                arrays["latents"][rows, view] = autoencoder.encode(shown).latent_dist.mode().half().cpu().numpy()
            if encoder is not None:
                arrays["alignment"][rows] = encoder.to(device).maps(images, (STRIDE,))[STRIDE].half().cpu().numpy()
        _record(folder, identity, arrays, start + len(pixels))
        line.show(start + len(pixels))
    line.close()
    return arrays["latents"], arrays.get("alignment")


def _shapes(autoencoder: AutoencoderKL, pool: Pool, flip: bool, aligned: bool) -> dict[str, tuple[int, ...]]:
    height, width = pool.settings.size
    stride = latent_stride(autoencoder)
    cells = (autoencoder.config.latent_channels, height // stride, width // stride)
    shapes: dict[str, tuple[int, ...]] = {"latents": (len(pool), 2 if flip else 1, *cells)}
    if aligned:
        shapes["alignment"] = (len(pool), CHANNELS[STRIDE], height // STRIDE, width // STRIDE)
    return shapes


def _open_arrays(folder: Path, identity: str, shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, Array], int]:
    """The memory maps, and how many images they hold already."""
    record = folder / "latents.json"
    known = read_json(record) if record.is_file() else {}
    matches = known.get("identity") == identity and known.get("shapes") == {n: list(s) for n, s in shapes.items()}
    done = known["done"] if matches and all((folder / f"{name}.f16").is_file() for name in shapes) else 0
    mode = "r+" if done else "w+"
    return {
        name: np.memmap(folder / f"{name}.f16", dtype=np.float16, mode=mode, shape=shape)  # type: ignore[call-overload]
        for name, shape in shapes.items()
    }, done


def _record(folder: Path, identity: str, arrays: dict[str, Array], done: int) -> None:
    for array in arrays.values():
        array.flush()  # type: ignore[attr-defined]
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    write_json(folder / "latents.json", {"identity": identity, "shapes": shapes, "done": done})
