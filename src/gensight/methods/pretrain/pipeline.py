"""From trained parts to a folder that diffusers opens, with a card and pictures of what it can do."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from gensight.drawing.sheet import contact_sheet
from gensight.errors import DataError, RunError, first_line
from gensight.files.atomic import read_json, write_json, write_text
from gensight.files.images import write_image
from gensight.methods.pretrain.architecture import Parts
from gensight.methods.pretrain.pool import Pool, to_images
from gensight.methods.pretrain.tokenizer import vocabulary_files
from gensight.samples import Array, Size

Network = TypeVar("Network", bound=nn.Module)

DDIM_STEPS = 50
GUIDANCE = 4.0
SAMPLE_SHEET = "samples.png"
RECONSTRUCTIONS = "reconstructions.png"


@dataclass(frozen=True)
class Card:
    """What a reader of the folder wants to know.

    Attributes:
        title: The backbone's name.
        description: One line.
        data: Sentence on the images that it learned from.
        facts: Rows of a table: number of parameters, steps, losses, rates, hardware.
        prompts: Of the sample sheet.
    """

    title: str
    description: str
    data: str
    facts: dict[str, str] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()


def assemble(parts: Parts) -> StableDiffusionPipeline:
    """The parts as diffusers' own text-to-image pipeline."""
    pipeline = StableDiffusionPipeline(
        vae=parts.autoencoder,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.denoiser,
        scheduler=parts.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_parts(parts: Parts, folder: Path, half: bool = True) -> None:
    """Writes a diffusers folder. It appears whole or not at all, and replaces an older one.

    Args:
        parts: Left as they are.
        folder: Of the pipeline.
        half: Store float16 weights.
    """
    temporary, old = folder.with_name(f".{folder.name}.writing"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    stored = replace(
        parts,
        autoencoder=_copy(parts.autoencoder, half),
        denoiser=_copy(parts.denoiser, half),
        text_encoder=_copy(parts.text_encoder, half),
    )
    with quiet_libraries():
        assemble(stored).save_pretrained(temporary, safe_serialization=True)
    # transformers opens weights in the type that the config names, diffusers in float32: they must agree.
    config = temporary / "text_encoder" / "config.json"
    write_json(config, {**read_json(config), "dtype": "float32"}, indent=2)
    vocabulary, merges = vocabulary_files(parts.tokenizer)
    write_json(temporary / "tokenizer" / "vocab.json", vocabulary)
    write_text(temporary / "tokenizer" / "merges.txt", merges)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _copy(network: Network, half: bool) -> Network:
    copied = copy.deepcopy(network).cpu()
    if half:
        nn.Module.half(copied)  # the libraries' own `half` warns of parts that these networks don't have
    return copied


def load_parts(folder: Path) -> Parts:
    """Reads a folder that `save_parts` wrote, in float32. Raises RunError if it holds something else."""
    options = {"torch_dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    try:
        kinds = read_json(folder / "model_index.json")
        _check_kind(kinds, "vae", AutoencoderKL, folder)
        _check_kind(kinds, "text_encoder", CLIPTextModel, folder)
        with quiet_libraries():
            return Parts(
                autoencoder=AutoencoderKL.from_pretrained(folder, subfolder="vae", **options).eval(),
                denoiser=UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **options).eval(),
                text_encoder=CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", **options).eval(),
                tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
                scheduler=DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True),
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, DataError) as error:
        raise RunError(
            f"the backbone to start from cannot be read ({first_line(error)})",
            where=folder,
            hint="give the folder that holds its model_index.json",
        ) from error


def _check_kind(kinds: dict[str, Any], name: str, kind: type, folder: Path) -> None:
    entry = kinds.get(name)
    found = entry[-1] if isinstance(entry, list) and entry else None
    if found != kind.__name__:
        raise RunError(
            f"pretraining goes on from a {kind.__name__} only, the backbone's {name} is a {found or '(missing)'}",
            where=folder,
        )


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps diffusers and transformers from drawing progress bars and giving advice on folders of our own."""
    logs = (diffusers_logging, transformers_logging)
    levels = [log.get_verbosity() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.set_verbosity(level)
            log.enable_progress_bar()


@torch.no_grad()
def draw_samples(
    parts: Parts, prompts: Sequence[str], size: Size, seed: int = 0, steps: int = DDIM_STEPS, guidance: float = GUIDANCE
) -> list[Array]:
    """One image per prompt, by DDIM.

    Args:
        parts: In float32.
        prompts: Not empty.
        size: (height, width), multiples of the stride.
        seed: Of the initial noise.
        steps: Of DDIM.
        guidance: Weight of classifier-free guidance; 1 for none.

    Returns:
        uint8 RGB (height, width, 3) each.
    """
    result = assemble(parts)(
        prompt=list(prompts),
        height=size[0],
        width=size[1],
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=[torch.Generator().manual_seed(seed + index) for index in range(len(prompts))],
        output_type="np",
    )
    return [(image * 255).round().astype(np.uint8) for image in result.images]


@torch.no_grad()
def reconstruct(parts: Parts, pool: Pool, count: int = 6) -> tuple[list[Array], float]:
    """Pooled images, each followed by what the autoencoder makes of it, and the mean PSNR over 128 images in dB."""
    indices = [row * len(pool.images) // min(128, len(pool.images)) for row in range(min(128, len(pool.images)))]
    pictures: list[Array] = []
    psnrs: list[float] = []
    for index in indices:
        original = np.array(pool.images[index])
        latent = parts.autoencoder.encode(to_images(original[None]) * 2 - 1).latent_dist.mode()
        decoded = (parts.autoencoder.decode(latent).sample / 2 + 0.5).clamp(0, 1)
        copy = (decoded[0].permute(1, 2, 0) * 255).round().byte().numpy()
        error = np.square(copy.astype(np.float64) - original).mean()
        psnrs.append(float(10 * np.log10(255**2 / max(error, 1e-6))))
        if len(pictures) < 2 * count:
            pictures += [original, copy]
    return pictures, float(np.mean(psnrs))


def write_pictures(parts: Parts, pool: Pool, prompts: Sequence[str], folder: Path, seed: int = 0) -> float:
    """Writes the sample sheet and the reconstructions into the pipeline's folder, and returns the PSNR in dB."""
    drawn = draw_samples(parts, prompts, pool.settings.size, seed, DDIM_STEPS)
    write_image(folder / SAMPLE_SHEET, contact_sheet(drawn, 4, list(prompts)))
    pictures, psnr = reconstruct(parts, pool)
    write_image(folder / RECONSTRUCTIONS, contact_sheet(pictures, 4))
    return psnr


def write_card(card: Card, folder: Path) -> None:
    """Writes README.md beside the weights."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in card.facts.items())
    prompts = "\n".join(f"{number}. {prompt or '(empty prompt)'}" for number, prompt in enumerate(card.prompts, 1))
    write_text(
        folder / "README.md",
        f"""# {card.title}

{card.description}

A latent text-to-image diffusion model in diffusers' folder format, pretrained by `gensight pretrain`. Open it with
`diffusers.StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)`, or name it in a recipe:
`backbone: {{kind: diffusers, id: <folder>}}`.

## Data

{card.data}

## Training

| | |
|---|---|
{rows}

## Pictures

`{SAMPLE_SHEET}`: one image per prompt, DDIM with {DDIM_STEPS} steps, guidance {GUIDANCE:g}. In reading order:

{prompts}

`{RECONSTRUCTIONS}`: images of the pool, each followed by its reconstruction.

## Limits

It knows the kind of images that it was trained on and nothing else. It is meant as a small backbone for perception, not
for making pictures.
""",
    )
