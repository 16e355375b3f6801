"""The pretraining methods at their smallest, and batches for them."""

import numpy as np
import torch

from gensight.diffusion.noise import item_keys
from gensight.methods.base import Method
from gensight.methods.pretrain.alignment import AlignmentHead
from gensight.methods.pretrain.architecture import (
    build_autoencoder,
    build_denoiser,
    build_noise_schedule,
    build_text_encoder,
)
from gensight.methods.pretrain.autoencoder import AutoencoderMethod
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.tokenizer import build_tokenizer
from gensight.samples import Batch, Item, Sample

CAPTIONS = ["a dog", None, "a cat", "a dog"]


def batch(keys: list[int], **content: object) -> Batch:
    items = [
        Item((Sample(str(i), (16, 24), lambda: np.zeros((16, 24, 3), np.uint8), caption=CAPTIONS[i]),))
        for i in range(len(keys))
    ]
    return Batch(items=items, views=[() for _ in items], keys=item_keys(0, 0, keys), **content)


def autoencoder_case() -> tuple[Method, Batch]:
    torch.manual_seed(0)
    method = AutoencoderMethod(build_autoencoder((8, 16), 4))
    return method, batch([0, 1, 2, 3], images=(torch.rand(4, 3, 16, 24),))


def denoiser_case(**options: object) -> tuple[DenoiserMethod, Batch]:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a", "dog", "cat"], 8)
    method = DenoiserMethod(
        build_denoiser((16, 32), 16, 4, 8, heads=2),
        build_text_encoder(tokenizer, 16, 1, 2),
        tokenizer,
        build_noise_schedule("v_prediction").alphas_cumprod,
        **options,
    )
    return method, batch([0, 1, 2, 3], features=({"latent": torch.randn(4, 4, 6, 8)},))


def aligned_case() -> tuple[DenoiserMethod, Batch]:
    method, given = denoiser_case()
    torch.manual_seed(1)
    method.alignment, method.alignment_weight = AlignmentHead(method.denoiser, torch.full((112,), 0.1)), 0.5
    assert given.features is not None
    given.features[0]["alignment"] = torch.randn(4, 112, 3, 4)
    return method, given
