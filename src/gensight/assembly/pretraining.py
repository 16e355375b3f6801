"""A recipe of `gensight pretrain` as objects: the images, the parts, and the training of each network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import torch

from gensight.assembly.readers import build_readers
from gensight.backbones.base import weights_hash
from gensight.backbones.imagenet import ImagenetEncoder, require_imagenet
from gensight.backbones.presets import tiny_folder
from gensight.backbones.pretrained import PipelineParts
from gensight.config.fields import Precision
from gensight.config.pretrain import (
    AutoencoderConfig,
    DenoiserConfig,
    FolderStart,
    PretrainConfig,
    ScratchStart,
    TinyStart,
)
from gensight.diffusion.targets import Prediction
from gensight.engine.fit import Schedule
from gensight.engine.optimisation import Optimisation
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import mix, value_hash
from gensight.loading.stream import IndexedBatches
from gensight.methods.base import Method
from gensight.methods.pretrain.alignment import STRIDE as ALIGNED_STRIDE
from gensight.methods.pretrain.alignment import AlignmentHead
from gensight.methods.pretrain.architecture import (
    build_autoencoder,
    build_denoiser,
    build_noise_schedule,
    build_text_encoder,
)
from gensight.methods.pretrain.autoencoder import AutoencoderMethod
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.latents import LatentSource, alignment_mean, encode_pool, latent_deviation
from gensight.methods.pretrain.pipeline import load_pretrained
from gensight.methods.pretrain.pool import ImageSource, Pool, PoolSettings
from gensight.methods.pretrain.tokenizer import build_tokenizer, instruction_words
from gensight.puppets.captions import CAPTION_WORDS
from gensight.readers.base import Reader
from gensight.samples import Array

AUTOENCODER_SHARE = 0.25  # of max_minutes
WARMUP_STEPS = 100
LATENT_PREDICTIONS: dict[str, Prediction] = {"epsilon": "epsilon", "v": "v_prediction"}


@dataclass(frozen=True, eq=False)
class NetworkTraining:
    """What the engine needs to train one network of a backbone; see `engine.fit`."""

    method: Method
    batches: IndexedBatches
    optimisation: Optimisation
    schedule: Schedule
    identity: str
    precision: Precision = "float32"


def build_images(config: PretrainConfig) -> Reader:
    """The images of a recipe; labels, where the data has them, are not read."""
    return build_readers(config.data, ("caption",)).train


def build_pool_settings(config: PretrainConfig, num_images: int) -> PoolSettings:
    """The settings of a recipe's pool.

    Args:
        config: The recipe.
        num_images: Number of images, where the recipe doesn't limit it.
    """
    return PoolSettings(
        source=value_hash(config.data.model_dump(mode="json")),
        num_images=config.num_images or num_images,
        size=config.image_size,
        resize=config.resize,
        captions=config.captions,
        seed=config.seed,
        num_kept=config.kept_images,
    )


def build_parts(config: PretrainConfig) -> PipelineParts:
    """The networks that a pretraining starts from, in float32.

    Raises:
        ConfigError: For sizes that don't fit together.
        RunError: If there is no backbone to start from, or it is of another kind.
        ResourceError: If the image encoder to align with is not installed.
    """
    if config.denoiser.alignment:
        require_imagenet()
    match config.start:
        case ScratchStart():
            parts = _fresh(config)
        case TinyStart():
            parts = _stored(tiny_folder())
        case FolderStart(path=path):
            parts = _stored(path if (path / "model_index.json").is_file() else path / "pipeline")
        case _:
            assert_never(config.start)
    _check_size(config, parts.stride)
    return parts


def _stored(folder: Path) -> PipelineParts:
    if not (folder / "model_index.json").is_file():
        raise RunError("there is no backbone to start from", where=folder, hint="start.kind=scratch needs none")
    return load_pretrained(folder)


def _fresh(config: PretrainConfig) -> PipelineParts:
    text, denoiser, autoencoder = config.text, config.denoiser, config.autoencoder
    tokenizer = build_tokenizer({*instruction_words(), *CAPTION_WORDS}, text.length)
    stride = 2 ** (len(autoencoder.widths) - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return PipelineParts(
            vae=build_autoencoder(autoencoder.widths, autoencoder.latent_channels),
            unet=build_denoiser(
                denoiser.widths, text.width, autoencoder.latent_channels, max(config.image_size) // stride
            ),
            text_encoders=(build_text_encoder(tokenizer, text.width, text.layers),),
            tokenizers=(tokenizer,),
            scheduler=build_noise_schedule(LATENT_PREDICTIONS[denoiser.prediction]),
        )


def _check_size(config: PretrainConfig, stride: int) -> None:
    height, width = config.image_size
    crop = config.autoencoder.crop
    _check_multiples(
        (height, width, crop), stride, f"image_size ({height} x {width}) and autoencoder.crop ({crop}) must be"
    )
    if config.denoiser.alignment:
        what = f"image_size is {height} x {width}, and denoiser.alignment needs sides that are"
        _check_multiples((height, width), ALIGNED_STRIDE, what)


def _check_multiples(sides: tuple[int, ...], unit: int, what: str) -> None:
    if any(side % unit for side in sides):
        up = [-(-side // unit) * unit for side in sides]
        crop = "".join(f" autoencoder.crop={side}" for side in up[2:])
        hint = f"for example image_size=[{up[0]},{up[1]}]{crop}"
        raise ConfigError(f"{what} multiples of {unit}", where="image_size", hint=hint)


def build_autoencoder_training(config: PretrainConfig, parts: PipelineParts, pool: Pool) -> NetworkTraining | None:
    """The autoencoder's training; None where it keeps its starting weights."""
    section = config.autoencoder
    if not section.steps:
        return None
    identity = [_pool_identity(config), _unless_steps(section), weights_hash(parts.vae.state_dict())]
    parts.vae.to(memory_format=torch.channels_last)
    return NetworkTraining(
        method=AutoencoderMethod(parts.vae, section.kl_weight),
        batches=IndexedBatches(ImageSource(pool, section.crop), section.batch_size, mix(config.seed, 1)),
        optimisation=_optimisation(section.steps, section.learning_rate, section.muon_rate, ema=0.995),
        schedule=_schedule(section.steps, config.max_minutes, AUTOENCODER_SHARE),
        identity=value_hash(identity),
    )


def build_denoiser_training(
    config: PretrainConfig, parts: PipelineParts, pool: Pool, folder: Path, device: str
) -> NetworkTraining | None:
    """The denoiser's training, on latents of the trained autoencoder; None where it keeps its starting weights.

    The latents are encoded into `folder`, and a fresh autoencoder is scaled such that theirs have unit deviation.
    """
    section = config.denoiser
    if not section.steps:
        return None
    autoencoder = weights_hash(parts.vae.state_dict())
    (text_encoder,), (tokenizer,) = parts.text_encoders, parts.tokenizers
    start = [weights_hash(parts.unet.state_dict()), weights_hash(text_encoder.state_dict())]
    encoder = ImagenetEncoder() if section.alignment else None
    known = value_hash([autoencoder, _pool_identity(config)])
    latents, maps = encode_pool(parts.vae, pool, folder, known, config.flip, device, encoder)
    if isinstance(config.start, ScratchStart):
        parts.vae.register_to_config(scaling_factor=1 / latent_deviation(latents))
    source = LatentSource(latents, pool, parts.vae.config.scaling_factor, maps)
    identity = [autoencoder, start, _pool_identity(config), config.flip, _unless_steps(section)]
    parts.unet.to(memory_format=torch.channels_last)
    return NetworkTraining(
        method=DenoiserMethod(
            parts.unet,
            text_encoder,
            tokenizer,
            parts.scheduler.alphas_cumprod,
            parts.scheduler.config.prediction_type,
            alignment=None if maps is None else _alignment_head(config, parts, maps),
            alignment_weight=section.alignment,
        ),
        batches=IndexedBatches(source, section.batch_size, mix(config.seed, 2)),
        optimisation=_optimisation(
            section.steps, section.learning_rate, section.muon_rate, section.ema, 0.01, section.precision
        ),
        schedule=_schedule(section.steps, config.max_minutes, 1 - AUTOENCODER_SHARE),
        identity=value_hash(identity),
        precision=section.precision,
    )


def _alignment_head(config: PretrainConfig, parts: PipelineParts, maps: Array) -> AlignmentHead:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(config.seed, 3) % (1 << 31))
        return AlignmentHead(parts.unet, alignment_mean(maps))


def _optimisation(
    steps: int,
    learning_rate: float,
    muon_rate: float | None,
    ema: float,
    weight_decay: float = 0.0,
    precision: Precision = "float32",
) -> Optimisation:
    return Optimisation(
        steps=steps,
        learning_rate=learning_rate,
        muon_rate=muon_rate,
        muon_precision=torch.float32 if precision == "float32" else torch.bfloat16,
        weight_decay=weight_decay,
        warmup_steps=WARMUP_STEPS,
        schedule="constant-then-linear",
        clip=1.0,
        ema=ema,
        betas=(0.9, 0.99),
        fused=True,
    )


def _schedule(steps: int, max_minutes: float | None, share: float) -> Schedule:
    return Schedule(
        checkpoint_every=max(1, min(500, steps // 20)),
        log_every=max(1, min(50, steps // 20)),
        max_minutes=None if max_minutes is None else max_minutes * share,
    )


def _pool_identity(config: PretrainConfig) -> str:
    fields = {"seed", "data", "num_images", "image_size", "resize", "captions"}
    return value_hash(config.model_dump(mode="json", include=fields))


def _unless_steps(section: AutoencoderConfig | DenoiserConfig) -> dict[str, Any]:
    return section.model_dump(mode="json", exclude={"steps"})
