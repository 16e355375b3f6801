"""Learning the autoencoder: images to latents and back."""

from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gensight.diffusion.noise import item_noise
from gensight.diffusion.sampling import Sampling
from gensight.methods.base import Method
from gensight.methods.loss import Loss
from gensight.samples import Batch

GRADIENT_SCALES = 3


def gradient_loss(
    prediction: Float[Tensor, "batch channels height width"], target: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the horizontal and vertical differences, at the image's scale, its half and its quarter.

    Stands in for a perceptual network: edges must be where they are, and as sharp as they are, at every scale.
    """
    error = prediction - target
    total = error.new_zeros(())
    for scale in range(GRADIENT_SCALES):
        if scale:
            error = functional.avg_pool2d(error, 2)
        total = total + error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return total / (2 * GRADIENT_SCALES)


class AutoencoderMethod(Method):
    """L1 and multi-scale gradient error of the reconstruction, and a small pull towards a standard normal latent.

    Args:
        autoencoder: Trained in place.
        kl_weight: Weight of the Kullback-Leibler divergence, averaged over latent values.
    """

    def __init__(self, autoencoder: AutoencoderKL, kl_weight: float = 1e-4) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.kl_weight = kl_weight

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        target = batch.image * 2 - 1
        posterior = self.autoencoder.encode(target).latent_dist
        noise = item_noise(batch.keys, posterior.mean.shape[1:]).to(target)
        prediction = self.autoencoder.decode(posterior.mean + posterior.std * noise).sample
        l1 = (prediction - target).abs().mean()
        gradient = gradient_loss(prediction, target)
        kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        return {
            "l1": Loss.of_mean(l1, len(batch)),
            "gradient": Loss.of_mean(gradient, len(batch)),
            "kl": Loss.of_mean(kl, len(batch), self.kl_weight),
        }

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`image`: reconstructions in [0, 1] through the latent's mode, (B, 3, height, width)."""
        latent = self.autoencoder.encode(batch.image * 2 - 1).latent_dist.mode()
        return {"image": (self.autoencoder.decode(latent).sample / 2 + 0.5).clamp(0, 1)}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return [{"params": list(self.autoencoder.parameters())}]
