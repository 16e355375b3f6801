"""`gensight pretrain`: images without labels become a backbone.

    OUT/config.yaml        the resolved recipe
    OUT/pool/              the images, at training size
    OUT/autoencoder/       a run folder for each of the two networks: checkpoints, log, weights
    OUT/denoiser/
    OUT/latents.*          what the denoiser learns from
    OUT/pipeline/          the backbone, as a diffusers folder, with card and pictures

Every stage resumes where it stopped. What was interrupted ends in the same weights as what was not, unless
`max_minutes` cuts the training short: then they depend on how fast the machine was.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from gensight.assembly.pretraining import (
    NetworkTraining,
    build_autoencoder_training,
    build_denoiser_training,
    build_images,
    build_parts,
    build_pool_settings,
)
from gensight.assembly.training_settings import choose_device, single_machine
from gensight.backbones.pipeline_folder import save_parts
from gensight.backbones.pretrained import PipelineParts
from gensight.config.loading.loader import dump_config
from gensight.config.pretrain import PretrainConfig
from gensight.engine.callbacks import read_log
from gensight.engine.fit import Training, fit
from gensight.engine.hardware import hardware
from gensight.engine.run_folder import RunFolder
from gensight.files.atomic import write_text
from gensight.files.lock import only_writer
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.pipeline import Card, load_pretrained, write_card, write_pictures
from gensight.methods.pretrain.pool import Pool, open_pool

NUM_PROMPTS = 12


@dataclass(frozen=True)
class _Trained:
    """How the training of a network went, and its losses at the end."""

    training: Training
    losses: dict[str, float]


def pretrain(config: PretrainConfig, out: Path | None = None, device: str = "auto", workers: int = 2) -> Path:
    """Trains a backbone, or resumes an interrupted training.

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
    parts = build_parts(config)
    with only_writer(folder):
        write_text(folder / "config.yaml", dump_config(config))
        images = build_images(config)
        pool = open_pool(images, folder / "pool", build_pool_settings(config, len(images)), workers)
        first = _train(build_autoencoder_training(config, parts, pool), folder / "autoencoder", device)
        second = _train(build_denoiser_training(config, parts, pool, folder, device), folder / "denoiser", device)
        for network in (parts.vae, parts.unet, *parts.text_encoders):
            network.to("cpu").eval()
        pipeline = folder / "pipeline"
        save_parts(parts, pipeline)
        prompts = _prompts(pool)
        # The pictures are drawn by what was stored, read as any user reads it.
        psnr = write_pictures(load_pretrained(pipeline), pool, prompts, pipeline, config.seed)
        write_card(_card(config, parts, pool, (first, second), psnr, prompts, device), pipeline)
    return pipeline


def _train(network: NetworkTraining | None, folder: Path, device: str) -> _Trained | None:
    if network is None:
        return None
    run = RunFolder(folder)
    network.method.train()
    training = fit(
        network.method,
        network.batches,
        network.optimisation,
        run,
        schedule=network.schedule,
        machine=single_machine(device),
        label=folder.name,
        identity=network.identity,
    )
    network.method.eval()
    if isinstance(network.method, DenoiserMethod) and network.method.alignment is not None:
        network.method.alignment.detach()
    rows = read_log(run.log / "metrics.csv")
    losses = {name: value for name, value in rows[-1].items() if name not in ("step", "time")} if rows else {}
    return _Trained(training, losses)


def _prompts(pool: Pool) -> tuple[str, ...]:
    """Captions of the pool, each once and evenly spaced, and the empty prompt last."""
    distinct = [caption for caption in dict.fromkeys(pool.captions) if caption]
    count = min(NUM_PROMPTS - 1, len(distinct))
    return (*(distinct[index * len(distinct) // count] for index in range(count)), "")


def _card(
    config: PretrainConfig,
    parts: PipelineParts,
    pool: Pool,
    trained: tuple[_Trained | None, _Trained | None],
    psnr: float,
    prompts: tuple[str, ...],
    device: str,
) -> Card:
    height, width = config.image_size
    kind = {"puppets": "drawn by gensight's `puppets`, with captions"}.get(
        config.data.kind, f"read as `{config.data.kind}`"
    )
    counts = parts.counts
    facts = {
        "parameters": f"{sum(counts.values()):,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()),
        "started from": config.start.kind,
        "seed": str(config.seed),
        "autoencoder": _stage(trained[0], config.autoencoder.batch_size, f"crops of {config.autoencoder.crop} px"),
        "reconstruction": f"{psnr:.1f} dB PSNR, 128 images of the pool, float16 weights",
        "denoiser": _stage(trained[1], config.denoiser.batch_size, "latents"),
        "prediction": f"{parts.scheduler.config.prediction_type}, scaled-linear noise schedule, 1,000 timesteps",
        "hardware": hardware(device),
        "software": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
    return Card(
        title=config.name,
        description=config.description,
        data=f"{len(pool):,} images of {height} x {width} px, {kind}. No labels.",
        facts=facts,
        prompts=prompts,
    )


def _stage(trained: _Trained | None, batch_size: int, unit: str) -> str:
    if trained is None:
        return "not trained"
    steps, minutes = trained.training.steps, trained.training.minutes
    end = ", ".join(f"{name} {value:.4f}" for name, value in trained.losses.items())
    return (
        f"{steps:,} steps of {batch_size} {unit} in {minutes:.0f} min "
        f"({steps * batch_size / max(60 * minutes, 1e-9):.0f}/s); last losses: {end}"
    )
