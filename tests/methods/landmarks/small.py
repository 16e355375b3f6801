"""The smallest landmark method and batches of noise for it."""

from typing import Any

import numpy as np
import torch

from gensight.backbones.scratch import ScratchEncoder
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.separation_loss import Adversary
from gensight.samples import Batch, Item, Sample
from gensight.transforms.views import whole_frame

SMALL: dict[str, Any] = {
    "shape_widths": (8, 8, 8), "appearance_width": 8, "appearance_channels": 4, "decoder_widths": (8, 8),
    "spade_width": 8, "background_width": 4, "perceptual": "pixels", "warp_share": 0.0,
}  # fmt: skip
SIZE = (32, 32)


class Black:
    def __call__(self) -> np.ndarray:
        return np.zeros((*SIZE, 3), np.uint8)


def method(seed: int = 0, adversary: float = 0.0, **options: Any) -> Landmarks:
    torch.manual_seed(seed)
    backbone = ScratchEncoder(widths=(8, 8, 8))
    backbone.trainable = False
    return Landmarks(backbone.requires_grad_(False), 4, adversary=Adversary(adversary, width=4), **{**SMALL, **options})


def batch(keys: tuple[int, ...] = (5, 6), num_images: int = 2) -> Batch:
    samples = tuple(Sample(f"frame-{slot}", SIZE, Black()) for slot in range(num_images))
    images = tuple(
        torch.stack([torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(10 * key + slot)) for key in keys])
        for slot in range(num_images)
    )
    views = (whole_frame(SIZE, SIZE),) * num_images
    return Batch([Item(samples)] * len(keys), [views] * len(keys), torch.tensor(keys), images)
