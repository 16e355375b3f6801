"""`gensight guide`: images generated under the control of trained readouts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.drawing import contact_sheet
from gensight.engine.settings import choose_device
from gensight.errors import ConfigError
from gensight.files.atomic import write_json
from gensight.files.images import write_image
from gensight.files.progress import ProgressLine, clock
from gensight.files.videos import VideoWriter
from gensight.guidance.controls import (
    box_region,
    parse_drags,
    read_control,
    read_mask,
    read_picture,
    read_tracks,
    refuse_outside,
)
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, SpatialGoal
from gensight.guidance.heads import GuidingHead, guiding_head, shared_backbone
from gensight.guidance.inversion import Inversion, invert
from gensight.guidance.sampling import Sampling, Trajectory, num_steered, sample
from gensight.guidance.steering import Steering
from gensight.methods.readout.method import Readout
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array

STEPS_PER_SECOND = 8  # of the film of the steps


@dataclass(frozen=True)
class Wishes:
    """What the user wants, as files and numbers.

    Attributes:
        controls: One picture for each run whose head reads maps, in the order of the runs.
        source: A real image to drag in; None drags in the image that is generated without guidance.
        drags: `x,y:x,y`, handle and target, in pixels of the image.
        tracks: A numpy file of tracks instead.
        reference: The picture whose appearance is wanted.
        reference_box: Region of the reference that is meant, (x_min, y_min, x_max, y_max) in its pixels; or None.
        box: Region of the result; or None.
        mask: A picture, white where spatial control counts; or None.
        weights: One for each run, in their order; equal if empty.
    """

    controls: tuple[Path, ...] = ()
    source: Path | None = None
    drags: tuple[str, ...] = ()
    tracks: Path | None = None
    reference: Path | None = None
    reference_box: tuple[float, float, float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    mask: Path | None = None
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class _Setting:
    """All that does not change from seed to seed."""

    backbone: DiffusionBackbone
    heads: dict[str, GuidingHead]
    wishes: Wishes
    sampling: Sampling
    steering: Steering
    source: Inversion | None
    reference: Inversion | None
    drags: Array | None


def guide(
    runs: Sequence[Path],
    out: Path,
    wishes: Wishes,
    sampling: Sampling,
    steering: Steering = Steering(),  # noqa: B008 (frozen)
    device: str = "auto",
    film: bool = True,
) -> Path:
    """Generates images, each without and with guidance from the same noise.

    Writes for each seed `unguided-SEED.png`, `guided-SEED.png`, `sheet-SEED.png` (both beside what was wanted, with
    the readouts of each) and `steps-SEED.mp4`, and `guide.json`: settings, errors, time, memory.

    Args:
        runs: Trained readouts of one backbone, trained with `method.timesteps=random`.
        out: Folder to write to.
        wishes: What is wanted.
        sampling: How images are sampled.
        steering: How they are steered.
        device: `auto`, `cpu`, `cuda` ...
        film: Whether to write the film of the steps.

    Raises:
        ConfigError: For runs that cannot guide, wishes without a run that could grant them, and the reverse.
    """
    setting = _prepare(runs, wishes, sampling, steering, choose_device(device))
    out.mkdir(parents=True, exist_ok=True)
    _foretell(setting)
    line = ProgressLine(2 * len(sampling.seeds) * sampling.steps, "guide")
    rows, begun, done = [], time.monotonic(), 0
    for seed in sampling.seeds:
        one = replace(setting, sampling=replace(sampling, seeds=(seed,)))

        def watch(step: int, latents: Tensor) -> None:
            nonlocal done
            done += 1
            line.show(done)

        rows.append(_guide_one(one, seed, out, film, watch))
    line.close()
    write_json(out / "guide.json", _summary(setting, runs, rows, time.monotonic() - begun), indent=1)
    return out


# --- What is wanted ---


def _prepare(runs: Sequence[Path], wishes: Wishes, sampling: Sampling, steering: Steering, device: str) -> _Setting:
    heads: dict[str, GuidingHead] = {}
    for run in runs:
        trained = TrainedRun.load(run, device)
        assert isinstance(trained.method, Readout)  # the only method that runs have so far
        heads[str(run)] = guiding_head(trained.method, str(run))
    backbone = shared_backbone(heads)
    _refuse_mismatch(heads, wishes)
    drags = _drags(wishes, sampling)
    if drags is not None and sampling.sampler != "ddim":
        raise ConfigError("dragging follows a trajectory of DDIM", where="--sampler", hint="use --sampler ddim")
    source = reference = None
    if wishes.source is not None:
        source = invert(backbone, read_picture(wishes.source, sampling.size), sampling.prompt, sampling.steps)
    if wishes.reference is not None:
        if sampling.sampler != "ddim":
            raise ConfigError("a reference is inverted by DDIM", where="--sampler", hint="use --sampler ddim")
        reference = invert(backbone, read_picture(wishes.reference, sampling.size), sampling.prompt, sampling.steps)
    return _Setting(backbone, heads, wishes, sampling, steering, source, reference, drags)


def _refuse_mismatch(heads: dict[str, GuidingHead], wishes: Wishes) -> None:
    kinds = [head.spec.kind for head in heads.values()]
    spatial = [kind for kind in kinds if kind not in ("matching", "appearance")]
    asked = {
        "--control": (len(wishes.controls), len(spatial), "a run of a map encoding (pose-image, depth-image ...)"),
        "--drag": (bool(wishes.drags or wishes.tracks), kinds.count("matching"), "a run of a correspondence encoding"),
        "--reference": (wishes.reference is not None, kinds.count("appearance"), "a run of an appearance encoding"),
    }
    for option, (wanted, there, what) in asked.items():
        if int(wanted) != there:
            raise ConfigError(
                f"{option} is given {int(wanted)} times, and {there} of the runs can use it",
                where=option,
                hint=f"each {option} needs {what}, and each such run one {option}",
            )
    if wishes.weights and len(wishes.weights) != len(heads):
        raise ConfigError(f"{len(wishes.weights)} weights for {len(heads)} runs", where="--weights")
    if wishes.source is not None and not (wishes.drags or wishes.tracks):
        raise ConfigError("a source without --drag", where="--source", hint="say what to drag where: --drag x,y:x,y")


def _drags(wishes: Wishes, sampling: Sampling) -> Array | None:
    if wishes.tracks is not None:
        drags, given = read_tracks(wishes.tracks)
        if given is not None:
            drags = drags * np.array([sampling.size[1] / given[1], sampling.size[0] / given[0]])
    elif wishes.drags:
        drags = parse_drags(list(wishes.drags))
    else:
        return None
    refuse_outside(drags.reshape(-1, 2), sampling.size, "--drag")
    return drags


def _goals(setting: _Setting, twin: Trajectory) -> list[Goal]:
    """The goals of one seed; a drag without a source drags in the seed's own unguided image."""
    wishes, size = setting.wishes, setting.sampling.size
    weights = wishes.weights or (1.0,) * len(setting.heads)
    controls = iter(wishes.controls)
    goals: list[Goal] = []
    for head, weight in zip(setting.heads.values(), weights, strict=True):
        grid = head.grid_size(size)
        match head.spec.kind:
            case "matching":
                assert setting.drags is not None
                latents = twin.latents if setting.source is None else setting.source.latents
                handles, targets = (torch.from_numpy(setting.drags[:, end]).float() for end in (0, 1))
                goals.append(DragGoal(head, _reference(setting, head, latents, twin), handles, targets, weight))
            case "appearance":
                assert setting.reference is not None
                known = _reference(setting, head, setting.reference.latents, twin)
                regions = [
                    None if box is None else box_region(np.array(box), size, grid)
                    for box in (wishes.reference_box, wishes.box)
                ]
                goals.append(AppearanceGoal(head, known, regions[0], regions[1], weight))
            case _:
                control = read_control(next(controls), head.spec.channels, size, grid)
                mask = None if wishes.mask is None else read_mask(wishes.mask, size, grid)
                goals.append(SpatialGoal(head, control, mask, weight))
    return goals


@torch.no_grad()
def _reference(setting: _Setting, head: GuidingHead, latents: Sequence[Tensor], twin: Trajectory) -> dict[int, Tensor]:
    """Step -> the head's descriptors of a reference's latents, for the steps that are steered."""
    steps = num_steered(len(twin.timesteps), setting.steering)
    text = setting.backbone.embed_text([setting.sampling.prompt])
    return {
        step: head(
            setting.backbone.read_latents(latents[step], int(twin.timesteps[step]), text), setting.sampling.size
        )[0]
        for step in range(steps)
    }


# --- One image ---


def _guide_one(setting: _Setting, seed: int, out: Path, film: bool, watch: Any) -> dict[str, Any]:
    backbone, sampling = setting.backbone, setting.sampling
    start = None if setting.source is None else setting.source.latents[0]
    twin = sample(backbone, sampling, start=start, keep_latents=True, watch=watch)
    goals = _goals(setting, twin)
    begun = time.monotonic()
    frames: list[Array] = []

    def look(step: int, latents: Tensor) -> None:
        watch(step, latents)
        if film:
            frames.append(_picture(backbone.decode_latent(latents)[0]))

    guided = sample(backbone, sampling, goals, setting.steering, start=start, watch=look)
    seconds = time.monotonic() - begun
    pictures = {"unguided": _picture(twin.images[0]), "guided": _picture(guided.images[0])}
    for name, picture in pictures.items():
        write_image(out / f"{name}-{seed}.png", picture)
    write_image(out / f"sheet-{seed}.png", _sheet(setting, goals, twin, guided, pictures))
    if frames:
        with VideoWriter(out / f"steps-{seed}.mp4", Fraction(STEPS_PER_SECOND)) as video:
            for frame in frames:
                video.write(frame)
    return {
        "seed": seed,
        "seconds_guided": seconds,
        "error_by_step": {str(step): float(error[0]) for step, error in guided.errors.items()},
        "scores": {
            name: {"unguided": before, "guided": after} for name, before, after in _scores(setting, goals, twin, guided)
        },
    }


@torch.no_grad()
def _final_maps(setting: _Setting, head: GuidingHead, images: Tensor) -> Tensor:
    """What a head reads from finished images, at the backbone's own, nearly clean, timestep."""
    return head(setting.backbone.features(images), setting.sampling.size)


def _scores(
    setting: _Setting, goals: Sequence[Goal], twin: Trajectory, guided: Trajectory
) -> list[tuple[str, float, float]]:
    """(name, unguided, guided): what the guiding heads themselves read from the finished images; lower is better."""
    rows: list[tuple[str, float, float]] = []
    for number, goal in enumerate(goals):
        if isinstance(goal, SpatialGoal):
            before, after = (
                float((_final_maps(setting, goal.head, one.images) - goal.control).square().mean().sqrt())
                for one in (twin, guided)
            )
            rows.append((f"control-error-{number}", before, after))
    return rows


def _sheet(
    setting: _Setting, goals: Sequence[Goal], twin: Trajectory, guided: Trajectory, pictures: dict[str, Array]
) -> Array:
    tiles, captions = list(pictures.values()), list(pictures)
    for path, caption in ((setting.wishes.source, "source"), (setting.wishes.reference, "reference")):
        if path is not None:
            tiles.insert(0, _picture(read_picture(path, setting.sampling.size)))
            captions.insert(0, caption)
    for goal in goals:
        if isinstance(goal, SpatialGoal):
            shown = [goal.control[None], *(_final_maps(setting, goal.head, t.images) for t in (twin, guided))]
            tiles += [_map_picture(one[0], setting.sampling.size) for one in shown]
            captions += ["control", "readout, unguided", "readout, guided"]
    return contact_sheet(tiles, len(pictures) + (len(tiles) > len(pictures)), captions, tile=setting.sampling.size)


def _picture(image: Tensor) -> Array:
    return (255 * image.detach().float().cpu().clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()


def _map_picture(values: Tensor, size: tuple[int, int]) -> Array:
    raised = torch.nn.functional.interpolate(values[None].float(), size=size, mode="nearest")[0]
    return _picture(raised.expand(3, -1, -1) if len(raised) == 1 else raised[:3])


# --- What it costs ---


def _foretell(setting: _Setting) -> None:
    """Tells what a run will take, by one pass of each kind."""
    backbone, sampling = setting.backbone, setting.sampling
    shape = (1, *backbone.latent_shape(sampling.size))
    latents, text = torch.randn(shape, device=backbone.device), backbone.embed_text([sampling.prompt])
    begun = time.monotonic()
    with torch.no_grad():
        backbone.denoise(latents, 500, text)
    plain = time.monotonic() - begun
    begun = time.monotonic()
    with backbone.checkpointed(setting.steering.memory == "low"), torch.enable_grad():
        moving = latents.requires_grad_(True)
        features = backbone.read_latents(moving, 500, text)
        readouts = [head(features, sampling.size) for head in setting.heads.values()]
        torch.autograd.grad(torch.stack([one.square().mean() for one in readouts]).sum(), moving)
    steered = time.monotonic() - begun
    passes = 1 if sampling.guidance_scale == 1 else 2
    moves = num_steered(sampling.steps, setting.steering) * setting.steering.inner_steps
    seconds = len(sampling.seeds) * (2 * passes * plain * sampling.steps + moves * steered)
    memory = torch.cuda.max_memory_allocated() if backbone.device.type == "cuda" else psutil.Process().memory_info().rss
    print(f"about {clock(seconds)} for {len(sampling.seeds)} image(s) and their unguided twins, {memory / 1e9:.1f} GB")


def _summary(setting: _Setting, runs: Sequence[Path], rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    sampling, steering = setting.sampling, setting.steering
    inversions = {"source": setting.source, "reference": setting.reference}
    return {
        "runs": [str(run) for run in runs],
        "sampling": {**vars(sampling), "size": list(sampling.size), "seeds": list(sampling.seeds)},
        "steering": vars(steering),
        "inversion_psnr_db": {name: one.psnr for name, one in inversions.items() if one is not None},
        "images": rows,
        "seconds": seconds,
    }
