"""`gensight guide`: images generated under the control of trained readouts."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from gensight.assembly.training_settings import choose_device
from gensight.errors import ConfigError
from gensight.files.atomic import read_json, write_json
from gensight.files.images import write_image
from gensight.files.lock import only_writer
from gensight.files.progress import Announce, ProgressLine, clock, silent
from gensight.guidance.controls import read_picture
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, SpatialGoal
from gensight.guidance.sampling import ImageSampling, Trajectory, sample, steered_steps
from gensight.guidance.steering import Steering
from gensight.samples import Array
from gensight.verbs.guidance.pictures import draw_image, draw_sheet, write_film
from gensight.verbs.guidance.scores import (
    OwnReader,
    Reader,
    appearance_change,
    appearance_distance,
    control_error,
    drag_distance,
    summarise,
)
from gensight.verbs.guidance.targets import GuidanceTargets, Setting, goals_of, prepare, sample_unguided, start_of


def guide(
    runs: Sequence[Path],
    out: Path,
    targets: GuidanceTargets,
    sampling: ImageSampling,
    steering: Steering = Steering(),  # noqa: B008 (frozen)
    device: str = "auto",
    film: bool = True,
    evaluators: Sequence[Path] = (),
    batch_size: int = 1,
    announce: Announce = silent,
) -> Path:
    """Generates images, each without and with guidance from the same noise.

    Writes for each seed `unguided-SEED.png`, `guided-SEED.png`, `sheet-SEED.png` (both beside the target, with the
    readouts of each) and `steps-SEED.mp4`, and `guide.json`: settings, errors, time, memory, and how much nearer to
    each target the guided images are, with the interval over the seeds. Seeds that the folder holds already are not
    sampled again.

    Args:
        runs: Trained readouts of one backbone, trained with `method.timesteps=random`.
        out: Folder to write to.
        targets: The guidance targets.
        sampling: How images are sampled.
        steering: How they are steered.
        device: `auto`, `cpu`, `cuda` ...
        film: Whether to write the film of the steps.
        evaluators: Other runs that score the finished images, independent of the guidance: of any backbone and noise
            level, each with the output of one of `runs`. A guiding head without one scores its own images, which is
            biased in its favour.
        batch_size: Images sampled at once.
        announce: Called with the estimated time and memory, before sampling starts.

    Raises:
        ConfigError: For runs that cannot guide, targets without a run for them, and runs without a target; for a folder
            that holds images made with other settings.
    """
    setting = prepare(runs, targets, sampling, steering, choose_device(device), evaluators)
    settings = _settings(setting, runs, evaluators)
    with only_writer(out):
        rows = _finished(out, settings)
        seeds = [seed for seed in sampling.seeds if seed not in rows]
        if seeds:
            announce(_estimate(setting, len(seeds)))
        for batch in _sample_seeds(setting, seeds, batch_size, out, film):
            rows |= {row["seed"]: row for row in batch}
            _write(out, settings, setting, rows)
        scores = summarise([rows[seed] for seed in sampling.seeds], sampling.size)
        _write(out, settings, setting, rows, scores)
    return out


def _sample_seeds(
    setting: Setting, seeds: Sequence[int], batch_size: int, out: Path, film: bool
) -> Iterator[list[dict[str, Any]]]:
    """The rows of each batch of seeds, once its pictures are written."""
    line = ProgressLine(max(len(seeds), 1) * setting.steps_per_seed, "guide")
    done = 0

    def watch(step: int, latents: Tensor) -> None:
        nonlocal done
        done += len(latents)
        line.show(done)

    for first in range(0, len(seeds), batch_size):
        part = tuple(seeds[first : first + batch_size])
        yield _guide_batch(replace(setting, sampling=replace(setting.sampling, seeds=part)), out, film, watch)
    line.close()


def _settings(setting: Setting, runs: Sequence[Path], evaluators: Sequence[Path]) -> dict[str, Any]:
    """All that an image depends on except its seed, as JSON values."""
    sampling = {name: value for name, value in vars(setting.sampling).items() if name != "seeds"}
    settings = {
        "runs": [str(run) for run in runs],
        "evaluators": [str(evaluator) for evaluator in evaluators],
        "targets": {name: value for name, value in vars(setting.targets).items() if value is not None},
        "sampling": sampling,
        "steering": vars(setting.steering),
    }
    return dict(json.loads(json.dumps(settings, default=str)))


def _finished(out: Path, settings: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Seed -> row of the images that a folder holds. Raises ConfigError if they were made with other settings."""
    file = out / "guide.json"
    if not file.is_file():
        return {}
    held = read_json(file)
    if not isinstance(held, dict) or held.get("settings") != settings:
        raise ConfigError(
            "this folder holds images made with other settings", where=out, hint="choose another --out, or remove it"
        )
    return {int(row["seed"]): row for row in held["images"]}


def _write(
    out: Path,
    settings: dict[str, Any],
    setting: Setting,
    rows: dict[int, dict[str, Any]],
    scores: Sequence[dict[str, Any]] = (),
) -> None:
    inversions = {"source": setting.source, "reference": setting.reference}
    content = {
        "settings": settings,
        "inversion_psnr_db": {name: one.psnr for name, one in inversions.items() if one is not None},
        "images": [rows[seed] for seed in sorted(rows)],
        "scores": list(scores),
    }
    write_json(out / "guide.json", content, indent=1)


# --- A batch of images ---


def _guide_batch(setting: Setting, out: Path, film: bool, watch: Any) -> list[dict[str, Any]]:
    backbone, seeds = setting.backbone, setting.sampling.seeds
    unguided = sample_unguided(setting, watch)
    goals = goals_of(setting, unguided)
    started = time.monotonic()
    frames: list[list[Array]] = [[] for _ in seeds]

    def record_frame(step: int, latents: Tensor) -> None:
        watch(step, latents)
        for kept, image in zip(frames, backbone.decode_latent(latents) if film else (), strict=False):
            kept.append(draw_image(image))

    guided = sample(
        backbone, setting.sampling, goals, setting.steering, start=start_of(setting, unguided), watch=record_frame
    )
    seconds = (time.monotonic() - started) / len(seeds)
    scored = _score_all(setting, goals, unguided, guided)
    reference = setting.targets.source or setting.targets.reference
    rows = []
    for place, seed in enumerate(seeds):
        pair = (unguided.images[place], guided.images[place])
        write_image(out / f"unguided-{seed}.png", draw_image(pair[0]))
        write_image(out / f"guided-{seed}.png", draw_image(pair[1]))
        write_image(out / f"sheet-{seed}.png", draw_sheet(backbone, goals, reference, pair))
        if frames[place]:
            write_film(out / f"steps-{seed}.mp4", frames[place])
        rows.append(
            {
                "seed": seed,
                "seconds_guided": seconds,
                "error_by_step": {str(step): float(error[place]) for step, error in guided.errors.items()},
                "scores": {name: [float(values[place]) for values in pair] for name, pair in scored.items()},
            }
        )
    return rows


def _score_all(
    setting: Setting, goals: Sequence[Goal], unguided: Trajectory, guided: Trajectory
) -> dict[str, tuple[Tensor, Tensor]]:
    """Score -> its values (batch,) of the unguided and the guided images; lower is nearer to the target."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    targets = setting.targets
    controls = iter(targets.controls)
    for number, (goal, head) in enumerate(zip(goals, setting.heads.values(), strict=True)):
        evaluator = next((one for one in setting.evaluators if one.number == number), None)
        reader: Reader = OwnReader(setting.backbone, head) if evaluator is None else evaluator
        suffix = f"{number + 1}" if len(goals) > 1 else ""
        scored_by = "own" if evaluator is None else "evaluator"
        match goal:
            case SpatialGoal():
                picture = next(controls)
                name = f"control-error{suffix}/{scored_by}"
                pair = [control_error(reader, one.images, picture, targets.mask) for one in (unguided, guided)]
            case DragGoal():
                source = targets.source
                before = unguided.images if source is None else read_picture(source, setting.sampling.size)[None]
                name = f"drag-distance{suffix}/{scored_by}"
                pair = [
                    drag_distance(reader, before, one.images, goal.handles, goal.targets) for one in (unguided, guided)
                ]
            case AppearanceGoal():
                assert targets.reference is not None
                known = read_picture(targets.reference, setting.sampling.size)[None]
                boxes = (targets.reference_box, targets.box)
                name = f"appearance-distance{suffix}/{scored_by}"
                pair = [appearance_distance(reader, known, one.images, boxes) for one in (unguided, guided)]
            case _:
                raise NotImplementedError(type(goal).__name__)  # a goal of Python users; the command has no other
        found[name] = (pair[0], pair[1])
    # The cost of guidance: how far the result is from the unguided image of the same noise.
    kept = appearance_change(setting.backbone, unguided.images, guided.images)
    found["changed"] = (torch.zeros_like(kept), kept)
    return found


# --- What it costs ---


def _estimate(setting: Setting, num_images: int) -> str:
    """Estimated time and memory of a run, from one timed pass of each kind."""
    backbone, sampling = setting.backbone, setting.sampling
    shape = (1, *backbone.latent_shape(sampling.size))
    latents, text = torch.randn(shape, device=backbone.device), backbone.embed_text([sampling.prompt])
    started = time.monotonic()
    with torch.no_grad():
        backbone.denoise(latents, 500, text)
    plain = time.monotonic() - started
    started = time.monotonic()
    with backbone.checkpointed(setting.steering.memory == "low"), torch.enable_grad():
        moving = latents.requires_grad_(True)
        features = backbone.read_latents(moving, 500, text)
        readouts = [head(features, sampling.size) for head in setting.heads.values()]
        torch.autograd.grad(torch.stack([one.square().mean() for one in readouts]).sum(), moving)
    steered = time.monotonic() - started
    passes = 1 if sampling.guidance_scale == 1 else 2
    moves = len(steered_steps(sampling, setting.steering)) * setting.steering.inner_steps
    seconds = num_images * (passes * plain * setting.steps_per_seed + moves * steered)
    memory = torch.cuda.max_memory_allocated() if backbone.device.type == "cuda" else psutil.Process().memory_info().rss
    return f"about {clock(seconds)} for {num_images} image(s), each also without guidance, {memory / 1e9:.1f} GB"
