"""The card and the pictures of a pretrained backbone's folder, and the networks that a pretraining starts from."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel

from gensight.backbones.pipeline_folder import as_pipeline
from gensight.backbones.pretrained import PipelineParts, load_parts
from gensight.drawing.sheet import contact_sheet
from gensight.errors import RunError
from gensight.files.atomic import write_text
from gensight.files.images import write_image
from gensight.methods.pretrain.pool import Pool, to_images
from gensight.samples import Array, Size

DDIM_STEPS = 50
GUIDANCE = 4.0
SAMPLE_SHEET = "samples.png"
RECONSTRUCTIONS = "reconstructions.png"


def load_pretrained(folder: Path) -> PipelineParts:
    """Reads a folder that can be trained further, in float32. Raises RunError if it holds another kind of model."""
    parts = load_parts(folder, torch.float32, random_weights=False, seed=0)
    kinds = {"vae": (parts.vae, AutoencoderKL), "text_encoder": (parts.text_encoders[0], CLIPTextModel)}
    for name, (part, kind) in kinds.items():
        if type(part) is not kind:
            raise RunError(
                f"pretraining starts from a {kind.__name__} only, the backbone's {name} is a {type(part).__name__}",
                where=folder,
            )
    if len(parts.text_encoders) > 1:
        raise RunError("pretraining starts from a model of one text encoder, and this one has two", where=folder)
    return parts


@torch.no_grad()
def draw_samples(
    parts: PipelineParts, prompts: Sequence[str], size: Size, seed: int = 0, steps: int = DDIM_STEPS
) -> list[Array]:
    """One image per prompt, by DDIM with guidance.

    Args:
        parts: In float32.
        prompts: Not empty.
        size: (height, width), multiples of the stride.
        seed: Of the initial noise.
        steps: Of DDIM.

    Returns:
        uint8 RGB (height, width, 3) each.
    """
    result = as_pipeline(parts)(
        prompt=list(prompts),
        height=size[0],
        width=size[1],
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        generator=[torch.Generator().manual_seed(seed + index) for index in range(len(prompts))],
        output_type="np",
    )
    return [(image * 255).round().astype(np.uint8) for image in result.images]


@torch.no_grad()
def _reconstructed(parts: PipelineParts, pool: Pool) -> tuple[list[Array], float]:
    """Six pooled images, each followed by what the autoencoder makes of it, and the mean PSNR over 128 images in dB."""
    count = min(128, len(pool.images))
    pictures: list[Array] = []
    psnrs: list[float] = []
    for row in range(count):
        original = np.array(pool.images[row * len(pool.images) // count])
        latent = parts.vae.encode(to_images(original[None]) * 2 - 1).latent_dist.mode()
        decoded = (parts.vae.decode(latent).sample / 2 + 0.5).clamp(0, 1)
        copy = (decoded[0].permute(1, 2, 0) * 255).round().byte().numpy()
        psnrs.append(cv2.PSNR(original, copy))
        pictures += [original, copy]
    return pictures[:12], float(np.mean(psnrs))


def write_pictures(parts: PipelineParts, pool: Pool, prompts: Sequence[str], folder: Path, seed: int = 0) -> float:
    """Writes the sample sheet and the reconstructions into the pipeline's folder, and returns the PSNR in dB."""
    drawn = draw_samples(parts, prompts, pool.settings.size, seed)
    write_image(folder / SAMPLE_SHEET, contact_sheet(drawn, 4, list(prompts)))
    pictures, psnr = _reconstructed(parts, pool)
    write_image(folder / RECONSTRUCTIONS, contact_sheet(pictures, 4))
    return psnr


def write_card(
    folder: Path, title: str, description: str, data: str, facts: dict[str, str], prompts: Sequence[str]
) -> None:
    """Writes README.md beside the weights.

    Args:
        folder: Of the pipeline.
        title: The backbone's name.
        description: One line.
        data: Sentence on the images that it learned from.
        facts: Rows of a table: number of parameters, steps, losses, rates, hardware.
        prompts: Of the sample sheet.
    """
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    numbered = "\n".join(f"{number}. {prompt or '(empty prompt)'}" for number, prompt in enumerate(prompts, 1))
    write_text(
        folder / "README.md",
        f"""# {title}

{description}

A latent text-to-image diffusion model in diffusers' folder format, pretrained by `gensight pretrain`. Open it with
`diffusers.StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)`, or name it in a recipe:
`backbone: {{kind: diffusers, id: <folder>}}`.

## Data

{data}

## Training

| | |
|---|---|
{rows}

## Pictures

`{SAMPLE_SHEET}`: one image per prompt, DDIM with {DDIM_STEPS} steps, guidance {GUIDANCE:g}. In reading order:

{numbered}

`{RECONSTRUCTIONS}`: images of the pool, each followed by its reconstruction.

## Limits

Trained on the images above only. A small backbone for perception, not for making pictures.
""",
    )
