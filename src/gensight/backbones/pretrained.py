"""The parts of a diffusers text-to-image folder: read by the libraries' own `from_pretrained`, or made anew.

`pipeline_folder.py` writes such a folder.
"""

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gensight.backbones.hub import StoredText, hub_folder, import_networks, read_empty_prompt, reading
from gensight.errors import RunError

MOVED = {"runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5"}
AUTOENCODERS = ("AutoencoderKL", "AutoencoderTiny")
TEXT_ENCODERS = ("CLIPTextModel", "CLIPTextModelWithProjection")
NEEDED = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


@dataclass(frozen=True, eq=False)
class PipelineParts:
    """What a text-to-image pipeline consists of.

    Attributes:
        unet: `UNet2DConditionModel`.
        vae: Autoencoder, float32.
        text_encoders: One (SD 1.x, 2.x) or two (XL).
        tokenizers: One for each text encoder.
        scheduler: diffusers' noise schedule that the model was trained with.
        empty_prompt: Its embedding, where the text encoder is only stored (see `hub.py`).
    """

    unet: Any
    vae: Any
    text_encoders: tuple[Any, ...]
    tokenizers: tuple[Any, ...]
    scheduler: Any
    empty_prompt: torch.Tensor | None = None

    @property
    def stride(self) -> int:
        """Image pixels per latent cell."""
        return latent_stride(self.vae)

    @property
    def counts(self) -> dict[str, int]:
        """Number of parameters of each network."""
        networks = {"autoencoder": [self.vae], "denoiser": [self.unet], "text encoder": self.text_encoders}
        return {name: sum(p.numel() for one in group for p in one.parameters()) for name, group in networks.items()}


def latent_stride(autoencoder: Any) -> int:
    """Image pixels per latent cell of an autoencoder."""
    widths = autoencoder.config.get("block_out_channels") or autoencoder.config.encoder_block_out_channels
    return int(2 ** (len(widths) - 1))


def pipeline_folder(source: str | Path, local_files_only: bool = False) -> Path:
    """The folder behind a path or a hub id; downloads the id's safetensors files where they are not cached yet.

    Raises:
        RunError: If there is no such folder, or the hub can't be reached or lacks what is needed.
    """
    return hub_folder(
        MOVED.get(str(source), source),
        "backbone",
        partial(_download, local_files_only=local_files_only),
        "a diffusers folder, or a hub id such as stable-diffusion-v1-5/stable-diffusion-v1-5",
        "copy its folder here and give the path",
    )


def _download(name: str, local_files_only: bool) -> str:
    from diffusers import DiffusionPipeline

    unused = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    return str(DiffusionPipeline.download(name, local_files_only=local_files_only, use_safetensors=True, **unused))


def load_parts(folder: Path, dtype: torch.dtype, random_weights: bool, seed: int) -> PipelineParts:
    """Reads every part of a diffusers folder; the VAE in float32, U-Net and text encoders in `dtype`.

    Args:
        folder: With `model_index.json`.
        dtype: Of the U-Net and the text encoders.
        random_weights: Build the same architecture with fresh weights (the modules' own initialisation) from `seed`;
            weight files are not read then.
        seed: Of the fresh weights.

    Raises:
        RunError: Naming the part that is missing, damaged or of an unknown kind.
    """
    index = _read_index(folder)
    encoders = [name for name in ("text_encoder", "text_encoder_2") if index.get(name)]
    kinds: list[tuple[str, Any, torch.dtype]] = [
        ("unet", _kind(folder, index, "unet", ("UNet2DConditionModel",)), dtype),
        ("vae", _kind(folder, index, "vae", AUTOENCODERS), torch.float32),
        *[(name, _kind(folder, index, name, TEXT_ENCODERS), dtype) for name in encoders],
    ]
    with torch.random.fork_rng(devices=[], enabled=random_weights):
        if random_weights:
            torch.manual_seed(seed)
        make = _fresh if random_weights else _stored
        models = {name: make(folder, name, kind, part_dtype) for name, kind, part_dtype in kinds}
    return PipelineParts(
        unet=models["unet"],
        vae=models["vae"],
        text_encoders=tuple(models[name] for name in encoders),
        tokenizers=tuple(read_tokenizer(folder, name.replace("text_encoder", "tokenizer")) for name in encoders),
        # Whichever sampler a pipeline names, its config holds the training schedule, which is all that is needed.
        scheduler=read_scheduler(folder),
    )


def load_any_parts(folder: Path, dtype: torch.dtype, random_weights: bool, seed: int, quick: bool) -> PipelineParts:
    """See `load_parts`; `quick`: by `load_for_perception`, where that can be."""
    can = quick and not random_weights and dtype == torch.float32
    return (load_for_perception(folder) if can else None) or load_parts(folder, dtype, random_weights, seed)


def load_for_perception(folder: Path) -> PipelineParts | None:
    """The parts without a text encoder, in float32, for frozen perception with the empty prompt: see `hub.py`.

    None where the folder doesn't keep the empty prompt's embedding, or diffusers is imported already.
    """
    index, tokens = _read_index(folder), read_empty_prompt(folder)
    if tokens is None or "text_encoder_2" in index or not import_networks():
        return None
    networks = {"unet": ("UNet2DConditionModel",), "vae": AUTOENCODERS}
    models = {
        name: _stored(folder, name, _kind(folder, index, name, known), torch.float32)
        for name, known in networks.items()
    }
    return PipelineParts(models["unet"], models["vae"], (StoredText(folder),), (), read_scheduler(folder), tokens)


def _read_index(folder: Path) -> dict[str, str]:
    """Part -> class name, from `model_index.json`."""
    path = folder / "model_index.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            "this is not a diffusers pipeline folder: it has no model_index.json",
            where=folder,
            hint="save a pipeline there with `pipeline.save_pretrained(folder)`",
        ) from None
    except ValueError as error:
        raise RunError(f"the pipeline's index is not valid JSON: {error}", where=path) from error
    index = {name: entry[1] for name, entry in content.items() if isinstance(entry, list) and len(entry) == 2}
    index = {name: kind for name, kind in index.items() if kind}
    missing = [name for name in NEEDED if name not in index or not (folder / name).is_dir()]
    missing += [name for name in ("text_encoder_2", "tokenizer_2") if index.get(name) and not (folder / name).is_dir()]
    if missing:
        raise RunError(
            f"the pipeline lacks {', '.join(missing)}",
            where=folder,
            hint=f"a text-to-image folder of the SD 1.x, 2.x or XL family holds {', '.join(NEEDED)}; copy it whole",
        )
    return index


def _kind(folder: Path, index: Mapping[str, str], name: str, known: Sequence[str]) -> Any:
    if index[name] not in known:
        raise RunError(f"the pipeline's {name} is a {index[name]}, which is not supported", where=folder, choices=known)
    return getattr(importlib.import_module("transformers" if known is TEXT_ENCODERS else "diffusers"), index[name])


def _fresh(folder: Path, name: str, kind: Any, dtype: torch.dtype) -> nn.Module:
    with reading(f"the config of the pipeline's {name}", folder):
        if name.startswith("text_encoder"):
            from transformers import CLIPTextConfig

            model = kind(CLIPTextConfig.from_pretrained(folder / name, local_files_only=True))
        else:
            model = kind.from_config(kind.load_config(folder, subfolder=name, local_files_only=True))
    return nn.Module.to(model, dtype).eval()  # diffusers' own `to` warns of a cast that is meant


def _stored(folder: Path, name: str, kind: Any, dtype: torch.dtype) -> nn.Module:
    stored = sorted((folder / name).glob("*.safetensors"))
    if not stored:
        raise RunError(
            f"the pipeline's {name} has no safetensors weights",
            where=folder / name,
            hint="other formats can run code when opened: convert it with diffusers' `save_pretrained` (its default)",
        )
    plain = [path for path in stored if ".fp16." not in path.name]
    options = {"local_files_only": True, "use_safetensors": True, "variant": None if plain else "fp16"}
    with reading(f"the pipeline's {name}", folder / name):
        model, info = kind.from_pretrained(
            folder, subfolder=name, torch_dtype=dtype, output_loading_info=True, **options
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise RunError(f"the pipeline's {name} lacks {len(missing)} tensors, such as {missing[0]}", where=folder / name)
    return model.eval()


def read_tokenizer(folder: Path, name: str = "tokenizer") -> Any:
    """The tokenizer of a pipeline's folder. Raises RunError."""
    if not any((folder / name / file).is_file() for file in ("vocab.json", "tokenizer.json")):
        raise RunError(f"the pipeline's {name} has no vocabulary", where=folder / name)
    from transformers import CLIPTokenizer

    with reading(f"the pipeline's {name}", folder):
        return CLIPTokenizer.from_pretrained(folder / name, local_files_only=True)


def read_scheduler(folder: Path) -> Any:
    """The training schedule of a pipeline's folder, a `DDPMScheduler`. Raises RunError."""
    from diffusers import DDPMScheduler

    with reading("the pipeline's scheduler", folder):
        return DDPMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)


def check_family(parts: PipelineParts) -> bool:
    """Whether the U-Net is SDXL's; RunError if it belongs to none of the supported families."""
    config, latent = parts.unet.config, parts.vae.config.latent_channels
    problem = None
    if config.addition_embed_type not in (None, "text_time"):
        problem = f"its added embedding is {config.addition_embed_type!r}"
    elif config.class_embed_type is not None or config.num_class_embeds is not None:
        problem = "it is conditioned on a class"
    elif config.in_channels not in (latent, 2 * latent):  # an editor takes an image's latent beside the noisy one
        problem = f"it takes {config.in_channels} channels, and a latent has {latent}"
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
