"""The parts of a text-to-image model as diffusers' own pipeline, and as a folder that it opens."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gensight.backbones.hub import quiet_libraries, write_empty_prompt
from gensight.backbones.pretrained import PipelineParts
from gensight.backbones.text import embed_prompts
from gensight.files.atomic import read_json, write_json, write_text


def as_pipeline(parts: PipelineParts) -> Any:
    """diffusers' `StableDiffusionPipeline` of the parts, sampled by DDIM. With one text encoder only."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline  # its module is slow to import

    pipeline = _pipeline(StableDiffusionPipeline, parts, DDIMScheduler.from_config(parts.scheduler.config))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _pipeline(kind: Any, parts: PipelineParts, scheduler: Any) -> Any:
    (text_encoder,), (tokenizer,) = parts.text_encoders, parts.tokenizers
    return kind(
        vae=parts.vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=parts.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save_parts(parts: PipelineParts, folder: Path) -> None:
    """Writes a diffusers folder of float16 weights. It appears whole or not at all, and replaces an older one.

    Args:
        parts: Left as they are; with one text encoder.
        folder: Of the pipeline.
    """
    temporary, old = folder.with_name(f".{folder.name}.writing"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    stored = replace(
        parts,
        vae=_halved(parts.vae),
        unet=_halved(parts.unet),
        text_encoders=tuple(_halved(encoder) for encoder in parts.text_encoders),
    )
    with quiet_libraries():
        as_pipeline(stored).save_pretrained(temporary, safe_serialization=True)
    # transformers opens weights in the type that the config names, diffusers in float32: they must agree.
    config = temporary / "text_encoder" / "config.json"
    write_json(config, {**read_json(config), "dtype": "float32"}, indent=2)
    vocabulary, merges = vocabulary_files(parts.tokenizers[0])
    write_json(temporary / "tokenizer" / "vocab.json", vocabulary)
    write_text(temporary / "tokenizer" / "merges.txt", merges)
    with torch.no_grad():
        encoder = copy.deepcopy(stored.text_encoders[0]).float()
        write_empty_prompt(temporary, embed_prompts([""], parts.tokenizers, [encoder], torch.device("cpu")).tokens)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _halved(network: Any) -> Any:
    # The libraries' own `half` warns of parts that these networks don't have.
    return nn.Module.half(copy.deepcopy(network).cpu())


def vocabulary_files(tokenizer: Any) -> tuple[dict[str, int], str]:
    """The contents of vocab.json and merges.txt, which older readers of the folder format look for."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in state["merges"]]
    return state["vocab"], "\n".join(["#version: 0.2", *pairs]) + "\n"


def save_editor_folder(folder: Path, parts: PipelineParts) -> None:
    """Writes the parts as an editor that diffusers' `StableDiffusionInstructPix2PixPipeline` loads.

    The scheduler's usual spacing of steps is left unsaid, so that another sampler has its own, as in `build_scheduler`.
    """
    # Its module is slow to import, and warns about image processors that nothing here uses.
    from diffusers import StableDiffusionInstructPix2PixPipeline

    _pipeline(StableDiffusionInstructPix2PixPipeline, parts, parts.scheduler).save_pretrained(folder)
    path = folder / "scheduler" / "scheduler_config.json"
    config = read_json(path)
    if config.get("timestep_spacing") == type(parts.scheduler)().config.timestep_spacing:
        del config["timestep_spacing"]
        write_json(path, config, indent=2)
