"""U-Nets of the SD 1.x, 2.x and XL families: recognised by their configuration; LoRA adapters for them."""

from typing import Any

import torch
from peft import LoraConfig

from gensight.backbones.pretrained import PipelineParts
from gensight.errors import RunError


def check_family(parts: PipelineParts) -> bool:
    """Whether the U-Net is SDXL's; RunError if it belongs to none of the supported families."""
    config = parts.unet.config
    problem = None
    if config.addition_embed_type not in (None, "text_time"):
        problem = f"its added embedding is {config.addition_embed_type!r}"
    elif config.class_embed_type is not None or config.num_class_embeds is not None:
        problem = "it is conditioned on a class"
    elif config.in_channels not in _widths(parts.vae.config.latent_channels):
        problem = f"it takes {config.in_channels} channels, and a latent has {parts.vae.config.latent_channels}"
    is_xl = config.addition_embed_type == "text_time"
    if is_xl and problem is None:
        if len(parts.text_encoders) != 2:
            problem = f"it needs two text encoders, and the folder has {len(parts.text_encoders)}"
        else:
            pooled = parts.text_encoders[1].config.projection_dim
            wanted = (config.projection_class_embeddings_input_dim - pooled) / config.addition_time_embed_dim
            if wanted != 6:
                problem = f"it is conditioned on {wanted:g} numbers beside the text, not on 6 (a refiner?)"
    if problem is not None:
        raise RunError(
            f"the U-Net is not one of a text-to-image model of the SD 1.x, 2.x or XL family: {problem}",
            hint="use a base text-to-image model, not one for inpainting, upscaling or refining",
        )
    return is_xl


def _widths(latent: int) -> tuple[int, int]:
    """Channels that a U-Net may take: a noisy latent, or (an editor such as InstructPix2Pix) an image's beside it."""
    return latent, 2 * latent


def add_adapters(unet: Any, rank: int, targets: list[str], seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=targets))
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # adapters learn in float32 on a U-Net in half precision
