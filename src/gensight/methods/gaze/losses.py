"""Terms that the gaze methods share. All are averaged over what is labelled, and 0 where nothing is."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gensight.encodings.gaze import IN_FRAME, MAP
from gensight.methods.loss import Loss
from gensight.samples import Batch


def map_weights(batch: Batch) -> Float[Tensor, " batch"]:
    """1 for items whose map is taught."""
    return batch.targets[f"{MAP}_weight"].flatten()


def in_frame_loss(logits: Float[Tensor, " batch"], batch: Batch, share: float = 1.0) -> Loss:
    """Binary cross-entropy of whether the target is in the image; `share` is its weight in the total."""
    target, weight = batch.targets[IN_FRAME].flatten(), batch.targets[f"{IN_FRAME}_weight"].flatten()
    return Loss.over(functional.binary_cross_entropy_with_logits(logits, target, reduction="none"), weight, share)


def soft_argmax(maps: Float[Tensor, "batch 1 height width"], sharpness: float = 100.0) -> Float[Tensor, "batch 2"]:
    """(x, y) as shares of the map's sides: the mean cell centre under softmax(sharpness * map)."""
    height, width = maps.shape[-2:]
    shares = (sharpness * maps.flatten(1)).softmax(-1).unflatten(1, (height, width))
    x = (torch.arange(width, device=maps.device) + 0.5) / width
    y = (torch.arange(height, device=maps.device) + 0.5) / height
    return torch.stack([(shares.sum(1) * x).sum(1), (shares.sum(2) * y).sum(1)], dim=1)
