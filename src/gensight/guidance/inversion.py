"""A real image as a trajectory of latents: DDIM run backwards (Song et al., ICLR 2021, section 4.3).

A step from one noise level to the next asks the U-Net for the noise at one of the two: `current`, the level that the
latents have, as in Luo et al.'s released code; or `target`, the level it leads to, at which sampling asks when it takes
the same step forwards. Sampled again, an image comes back better by the first (docs/results/guidance.md).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from diffusers import DDIMInverseScheduler
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.guidance.sampling import ImageSampling, sample

InversionLevel = Literal["target", "current"]
INVERSION_LEVELS: tuple[InversionLevel, ...] = get_args(InversionLevel)


@dataclass(frozen=True, eq=False)
class Inversion:
    """An inverted image.

    Attributes:
        latents: Step -> the noisy latents that DDIM would have before it, as the U-Net takes them.
        timesteps: Their training indices.
        clean: The image's own latents.
        psnr: Of the image that DDIM reconstructs from the noisiest latents, in dB.
    """

    latents: dict[int, Tensor]
    timesteps: list[int]
    clean: Tensor
    psnr: float


@torch.no_grad()
def invert(
    backbone: DiffusionBackbone, image: Tensor, prompt: str, steps: int, level: InversionLevel = "current"
) -> Inversion:
    """Inverts an image, with the text at weight 1.

    Args:
        backbone: Frozen.
        image: float32 (3, height, width) in [0, 1].
        prompt: Describes the image.
        steps: Number of sampling steps.
        level: At which of a step's two noise levels the U-Net is evaluated.
    """
    scheduler = DDIMInverseScheduler.from_config(backbone.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(steps, device=backbone.device)
    text = backbone.embed_text([prompt])
    latents = clean = backbone.encode_image(image[None].to(backbone.device))
    noisy, timesteps = [], []
    for timestep in scheduler.timesteps:
        current = max(int(timestep) - scheduler.config.num_train_timesteps // steps, -1)  # -1: the clean latents
        output = backbone.denoise(latents, timestep if level == "target" else current, text)[0]
        latents = scheduler.step(output, timestep, latents, return_dict=False)[0]
        noisy.append(latents)
        timesteps.append(int(timestep))
    size = (int(image.shape[-2]), int(image.shape[-1]))
    reconstructed = sample(
        backbone, ImageSampling(prompt, size=size, steps=steps, guidance_scale=1.0, eta=0.0), start=noisy[-1]
    ).images[0]
    mean_square = float((reconstructed.cpu() - image.cpu()).square().mean())
    psnr = float(-10 * torch.log10(torch.tensor(max(mean_square, 1e-12))))
    return Inversion(dict(enumerate(noisy[::-1])), timesteps[::-1], clean, psnr)
