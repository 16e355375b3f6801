"""Representation alignment: a middle map of the denoiser is pulled towards a pretrained image encoder's map.

Yu et al., "Representation Alignment for Generation" (REPA, ICLR 2025, arXiv:2410.06940), here with convolutional
networks: the output of the first up-block, through a small projection that is not part of the saved model, and the
encoder's map of stride 16 less its mean.
"""

from diffusers import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.imagenet import CHANNELS

STRIDE = 16
HIDDEN = 256


class AlignmentHead(nn.Module):
    """Two 1 x 1 convolutions from the denoiser's first up-block to the encoder's channels, and the loss.

    Args:
        denoiser: Whose `aligned_block` is read.
        mean: float32 (channels,): the encoder's mean over the training images.
    """

    def __init__(self, denoiser: UNet2DConditionModel, mean: Float[Tensor, " channels"]) -> None:
        super().__init__()
        width = denoiser.config.block_out_channels[-1]
        self.project = nn.Sequential(nn.Conv2d(width, HIDDEN, 1), nn.SiLU(), nn.Conv2d(HIDDEN, CHANNELS[STRIDE], 1))
        self.register_buffer("mean", mean.clone())
        self.mean: Tensor

    def loss(self, maps: Tensor, target: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, ""]:
        """1 - cosine similarity, averaged over cells, of the block's output and the encoder's maps."""
        projected = self.project(maps)
        if projected.shape[-2:] != target.shape[-2:]:
            projected = functional.interpolate(projected, target.shape[-2:], mode="bilinear", align_corners=False)
        centred = target.to(projected) - self.mean[:, None, None]
        return 1 - functional.cosine_similarity(projected, centred, dim=1).mean()


def aligned_block(denoiser: UNet2DConditionModel) -> nn.Module:
    """The part of a denoiser whose output is aligned."""
    block: nn.Module = denoiser.up_blocks[0]
    return block
