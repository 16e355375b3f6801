"""`gensight pretrain`: images without labels become a backbone.

    OUT/config.yaml        the resolved recipe
    OUT/pool/              the images, at training size
    OUT/autoencoder.ckpt   everything that resuming needs, for each of the two networks
    OUT/denoiser.ckpt
    OUT/latents.*          what the denoiser learns from
    OUT/losses.json        the history of both
    OUT/pipeline/          the backbone, as a diffusers folder, with card and pictures

Every stage goes on where it stopped. What was interrupted ends in the same weights as what was not, unless
`max_minutes` cuts the training short: then they depend on how fast the machine was.
"""

import hashlib
import platform
from importlib.resources import files
from pathlib import Path
from typing import assert_never

import torch
from torch import nn

from gensight.backbones.imagenet import ImagenetEncoder
from gensight.build.readers import build_readers
from gensight.config.data import PuppetsData, VideosData
from gensight.config.loader import dump_config
from gensight.config.pretrain import FolderStart, PretrainConfig, ScratchStart, TinyStart
from gensight.diffusion.noise import mix
from gensight.engine.settings import choose_device
from gensight.errors import ConfigError, RunError
from gensight.files.atomic import write_json, write_text
from gensight.files.hashing import value_hash
from gensight.files.lock import only_writer
from gensight.methods.pretrain.alignment import STRIDE, AlignmentHead
from gensight.methods.pretrain.architecture import (
    Parts,
    build_autoencoder,
    build_denoiser,
    build_scheduler,
    build_text_encoder,
)
from gensight.methods.pretrain.autoencoder import AutoencoderMethod
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.latents import LatentSource, alignment_mean, encode_pool
from gensight.methods.pretrain.pipeline import Card, load_parts, save_parts, write_card, write_pictures
from gensight.methods.pretrain.pool import ImageSource, Pool, PoolSettings, open_pool
from gensight.methods.pretrain.tokenizer import build_tokenizer
from gensight.methods.pretrain.training import Progress, Settings, fit
from gensight.methods.pretrain.vocabulary import INSTRUCTION_WORDS
from gensight.readers.base import Reader
from gensight.readers.puppets import CAPTION_WORDS, PuppetsReader
from gensight.readers.videos import VideosReader
from gensight.samples import Array
from gensight.verbs.hardware import hardware

AUTOENCODER_SHARE = 0.25  # of max_minutes
NUM_PROMPTS = 12
LATENT_PREDICTIONS = {"epsilon": "epsilon", "v": "v_prediction"}


def pretrain(config: PretrainConfig, out: Path | None = None, device: str = "auto", workers: int = 2) -> Path:
    """Trains a backbone, or goes on with one that was interrupted.

    Args:
        config: The recipe.
        out: Folder of the training; `backbones/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        workers: Processes that decode or draw images; 0 for none beside this one.

    Returns:
        Folder of the backbone, `OUT/pipeline`: a diffusers folder.

    Raises:
        ConfigError: For sizes that don't fit together.
        DataError: If images can't be read.
        RunError: If the folder holds a training of another recipe.
        ResourceError: If the recipe aligns features and the `imagenet` extra is not installed.
    """
    folder = Path("backbones") / config.name if out is None else Path(out)
    device = choose_device(device)
    parts = _start(config)
    _check_size(config, parts)
    if config.denoiser.alignment is not None:
        ImagenetEncoder()  # what is not installed is said before anything is drawn
    with only_writer(folder):
        return _pretrain(config, folder, parts, device, workers)


def _pretrain(config: PretrainConfig, folder: Path, parts: Parts, device: str, workers: int) -> Path:
    write_text(folder / "config.yaml", dump_config(config))
    pool = open_pool(build_source(config), folder / "pool", _pool_settings(config), workers)
    first = _train_autoencoder(config, parts, pool, folder, device)
    second = _train_denoiser(config, parts, pool, folder, device)
    write_json(folder / "losses.json", {"autoencoder": first.history, "denoiser": second.history}, indent=1)
    for network in (parts.autoencoder, parts.denoiser, parts.text_encoder):
        network.to("cpu").eval()
    pipeline = folder / "pipeline"
    save_parts(parts, pipeline)
    # The pictures are drawn by what was stored, read as any user reads it.
    stored = load_parts(pipeline)
    prompts = _prompts(pool)
    psnr = write_pictures(stored, pool, prompts, pipeline, config.seed)
    write_card(_card(config, parts, first, second, psnr, prompts, device), pipeline)
    return pipeline


def build_source(config: PretrainConfig) -> Reader:
    """The images of a recipe; labels, where the data has them, are not read."""
    data = config.data
    if isinstance(data, PuppetsData):
        return PuppetsReader(
            data.num_train,
            seed=mix(data.seed, 0) % (1 << 31),
            size=data.size,
            truths=("caption",),
            subjects=data.subjects,
            style=data.style,
        )
    if isinstance(data, VideosData):
        return VideosReader(data.root, data.step)
    return build_readers(data).train


def _pool_settings(config: PretrainConfig) -> PoolSettings:
    source = build_source(config)
    return PoolSettings(
        source=value_hash(config.data.model_dump(mode="json")),
        num_images=config.num_images or len(source),
        size=config.image_size,
        resize=config.resize,
        captions=config.captions,
        seed=config.seed,
        num_kept=config.kept_images,
    )


def _start(config: PretrainConfig) -> Parts:
    match config.start:
        case ScratchStart():
            return _fresh(config)
        case TinyStart():
            folder = Path(str(files("gensight.backbones"))) / "tiny"
        case FolderStart(path=path):
            folder = path if (path / "model_index.json").is_file() else path / "pipeline"
        case _:
            assert_never(config.start)
    if not (folder / "model_index.json").is_file():
        raise RunError("there is no backbone to start from", where=folder, hint="start.kind=scratch needs none")
    return load_parts(folder)


def _fresh(config: PretrainConfig) -> Parts:
    text, denoiser, autoencoder = config.text, config.denoiser, config.autoencoder
    tokenizer = build_tokenizer({*INSTRUCTION_WORDS, *CAPTION_WORDS}, text.length)
    stride = 2 ** (len(autoencoder.widths) - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Parts(
            autoencoder=build_autoencoder(autoencoder.widths, autoencoder.latent_channels),
            denoiser=build_denoiser(
                denoiser.widths,
                denoiser.layers_per_block,
                denoiser.heads,
                text.width,
                autoencoder.latent_channels,
                max(config.image_size) // stride,
            ),
            text_encoder=build_text_encoder(tokenizer, text.width, text.layers, text.heads),
            tokenizer=tokenizer,
            scheduler=build_scheduler(LATENT_PREDICTIONS[denoiser.prediction]),  # type: ignore[arg-type]
        )


def _check_size(config: PretrainConfig, parts: Parts) -> None:
    height, width = config.image_size
    stride = parts.stride
    if height % stride or width % stride or config.autoencoder.crop % stride:
        up = [-(-side // stride) * stride for side in (height, width, config.autoencoder.crop)]
        raise ConfigError(
            f"image_size ({height} x {width}) and autoencoder.crop ({config.autoencoder.crop}) must be multiples of "
            f"{stride}",
            where="image_size",
            hint=f"for example image_size=[{up[0]},{up[1]}] autoencoder.crop={up[2]}",
        )
    if config.denoiser.alignment is not None and (height % STRIDE or width % STRIDE):
        raise ConfigError(
            f"denoiser.alignment needs sides that are multiples of {STRIDE}, image_size is {height} x {width}",
            where="image_size",
            hint=f"for example image_size=[{-(-height // STRIDE) * STRIDE},{-(-width // STRIDE) * STRIDE}]",
        )


def _train_autoencoder(config: PretrainConfig, parts: Parts, pool: Pool, folder: Path, device: str) -> Progress:
    section = config.autoencoder
    if not section.steps:
        return Progress()
    method = AutoencoderMethod(parts.autoencoder, section.kl_weight)
    settings = Settings(
        steps=section.steps,
        batch_size=section.batch_size,
        learning_rate=section.learning_rate,
        muon_rate=section.muon_rate,
        max_seconds=None if config.max_minutes is None else 60 * config.max_minutes * AUTOENCODER_SHARE,
        ema=0.995,
        seed=mix(config.seed, 1),
    )
    identity = value_hash(
        [_pool_identity(config), section.model_dump(mode="json", exclude={"steps"}), weights_hash(parts.autoencoder)]
    )
    _channels_last(parts.autoencoder)
    source = ImageSource(pool, section.crop)
    return fit(method, source, settings, folder / "autoencoder.ckpt", identity, "autoencoder", device)


def _train_denoiser(config: PretrainConfig, parts: Parts, pool: Pool, folder: Path, device: str) -> Progress:
    section = config.denoiser
    if not section.steps:
        return Progress()
    autoencoder = weights_hash(parts.autoencoder)
    start = [weights_hash(parts.denoiser), weights_hash(parts.text_encoder)]
    encoder = None if section.alignment is None else ImagenetEncoder()
    known = value_hash([autoencoder, _pool_identity(config)])
    latents, maps = encode_pool(parts.autoencoder, pool, folder, known, config.flip, device, encoder)
    source = LatentSource(latents, pool, parts.autoencoder.config.scaling_factor, maps)
    if isinstance(config.start, ScratchStart):
        parts.autoencoder.register_to_config(scaling_factor=1 / source.deviation)
        source = LatentSource(latents, pool, 1 / source.deviation, maps)
    settings = Settings(
        steps=section.steps,
        batch_size=section.batch_size,
        learning_rate=section.learning_rate,
        muon_rate=section.muon_rate,
        max_seconds=None if config.max_minutes is None else 60 * config.max_minutes * (1 - AUTOENCODER_SHARE),
        weight_decay=0.01,
        ema=section.ema,
        seed=mix(config.seed, 2),
    )
    identity = value_hash(
        [autoencoder, start, _pool_identity(config), config.flip, section.model_dump(mode="json", exclude={"steps"})]
    )
    method = DenoiserMethod(
        parts.denoiser,
        parts.text_encoder,
        parts.tokenizer,
        parts.scheduler.alphas_cumprod,
        parts.scheduler.config.prediction_type,
        section.caption_dropout,
        alignment=None if maps is None else _alignment_head(config, parts, maps),
        alignment_weight=0.0 if section.alignment is None else section.alignment.weight,
    )
    _channels_last(parts.denoiser)
    try:
        return fit(method, source, settings, folder / "denoiser.ckpt", identity, "denoiser", device)
    finally:
        if method.alignment is not None:
            method.alignment.detach()


def _alignment_head(config: PretrainConfig, parts: Parts, maps: Array) -> AlignmentHead:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(config.seed, 3) % (1 << 31))
        return AlignmentHead(parts.denoiser, alignment_mean(maps))


def _pool_identity(config: PretrainConfig) -> str:
    wanted = {"seed", "data", "num_images", "image_size", "resize", "captions"}
    return value_hash(config.model_dump(mode="json", include=wanted))


def _channels_last(network: nn.Module) -> None:
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of a network's tensors, with their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _prompts(pool: Pool) -> tuple[str, ...]:
    """Captions of the pool, each once and evenly spaced, and the empty prompt last."""
    distinct = [caption for caption in dict.fromkeys(pool.captions) if caption]
    count = min(NUM_PROMPTS - 1, len(distinct))
    return (*(distinct[index * len(distinct) // count] for index in range(count)), "")


def _card(
    config: PretrainConfig,
    parts: Parts,
    first: Progress,
    second: Progress,
    psnr: float,
    prompts: tuple[str, ...],
    device: str,
) -> Card:
    num_images = config.num_images or len(build_source(config))
    height, width = config.image_size
    kind = {"puppets": "drawn by gensight's `puppets`, with captions"}.get(
        config.data.kind, f"read as `{config.data.kind}`"
    )
    counts = parts.counts
    facts = {
        "parameters": f"{sum(counts.values()):,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()),
        "started from": config.start.kind,
        "seed": str(config.seed),
        "autoencoder": _stage(first, config.autoencoder.batch_size, f"crops of {config.autoencoder.crop} px"),
        "reconstruction": f"{psnr:.1f} dB PSNR, 128 images of the pool, float16 weights",
        "denoiser": _stage(second, config.denoiser.batch_size, "latents"),
        "prediction": f"{parts.scheduler.config.prediction_type}, scaled-linear noise schedule, 1,000 timesteps",
        "hardware": hardware(device),
        "software": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
    return Card(
        title=config.name,
        description=config.description,
        data=f"{num_images:,} images of {height} x {width} px, {kind}. No labels.",
        facts=facts,
        prompts=prompts,
    )


def _stage(progress: Progress, batch_size: int, unit: str) -> str:
    if not progress.step:
        return "not trained"
    losses = {name: value for name, value in progress.history[-1].items() if name != "step"} if progress.history else {}
    end = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    return (
        f"{progress.step:,} steps of {batch_size} {unit} in {progress.seconds / 60:.0f} min "
        f"({progress.rate(batch_size):.0f}/s); last losses: {end}"
    )
