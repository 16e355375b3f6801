"""A folder that diffusers' `StableDiffusionInstructPix2PixPipeline` loads, from an editor's parts."""

from pathlib import Path
from typing import Any


def save_editor_folder(folder: Path, *, vae: Any, text_encoder: Any, tokenizer: Any, unet: Any, scheduler: Any) -> None:
    """Writes the parts, without a safety checker."""
    # Its module is slow to import, and warns of image processors that nothing here uses.
    from diffusers import StableDiffusionInstructPix2PixPipeline

    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
