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
        denoiser: Whose `up_blocks[0]` is read, by a hook.
        mean: float32 (channels,): the encoder's mean over the training images.
    """

    def __init__(self, denoiser: UNet2DConditionModel, mean: Float[Tensor, " channels"]) -> None:
        super().__init__()
        width = denoiser.config.block_out_channels[-1]
        self.project = nn.Sequential(nn.Conv2d(width, HIDDEN, 1), nn.SiLU(), nn.Conv2d(HIDDEN, CHANNELS[STRIDE], 1))
        self.register_buffer("mean", mean.clone())
        self.mean: Tensor
        self._maps: Tensor | None = None
        self._hook = denoiser.up_blocks[0].register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, arguments: object, output: Tensor) -> None:
        self._maps = output

    def detach(self) -> None:
        """Takes the hook off the denoiser."""
        self._hook.remove()

    def loss(self, target: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, ""]:
        """1 - cosine similarity, averaged over cells, of the maps of the denoiser's latest pass."""
        assert self._maps is not None, "the denoiser has run before its alignment is measured"
        projected = self.project(self._maps)
        if projected.shape[-2:] != target.shape[-2:]:
            projected = functional.interpolate(projected, target.shape[-2:], mode="bilinear", align_corners=False)
        self._maps = None
        centred = target.to(projected) - self.mean[:, None, None]
        return 1 - functional.cosine_similarity(projected, centred, dim=1).mean()
