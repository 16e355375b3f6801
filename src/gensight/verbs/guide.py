"""`gensight guide`: images generated under the control of trained readouts."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.engine.settings import choose_device
from gensight.errors import ConfigError
from gensight.files.atomic import read_json, write_json
from gensight.files.images import write_image
from gensight.files.lock import only_writer
from gensight.files.progress import ProgressLine, clock
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
from gensight.verbs.guide_pictures import draw_image, draw_sheet, write_film
from gensight.verbs.guide_scores import (
    Judge,
    OwnReader,
    Reader,
    appearance_change,
    appearance_distance,
    appoint,
    control_error,
    drag_distance,
    scores_text,
    summarise,
)


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
    judges: list[Judge]


def guide(
    runs: Sequence[Path],
    out: Path,
    wishes: Wishes,
    sampling: Sampling,
    steering: Steering = Steering(),  # noqa: B008 (frozen)
    device: str = "auto",
    film: bool = True,
    judges: Sequence[Path] = (),
    batch_size: int = 1,
) -> Path:
    """Generates images, each without and with guidance from the same noise.

    Writes for each seed `unguided-SEED.png`, `guided-SEED.png`, `sheet-SEED.png` (both beside what was wanted, with
    the readouts of each) and `steps-SEED.mp4`, and `guide.json`: settings, errors, time, memory, and how much nearer
    to each wish guidance came, with its interval over the seeds. Seeds that the folder holds already are not sampled
    again.

    Args:
        runs: Trained readouts of one backbone, trained with `method.timesteps=random`.
        out: Folder to write to.
        wishes: What is wanted.
        sampling: How images are sampled.
        steering: How they are steered.
        device: `auto`, `cpu`, `cuda` ...
        film: Whether to write the film of the steps.
        judges: Other runs that read the finished images and say how near they came: of any backbone and noise level,
            each of the kind of one of `runs`. Without one, the guiding heads judge themselves, which flatters them.
        batch_size: Images sampled at once.

    Raises:
        ConfigError: For runs that cannot guide, wishes without a run that could grant them, and the reverse; for a
            folder that holds images made otherwise.
    """
    setting = _prepare(runs, wishes, sampling, steering, choose_device(device), judges)
    settings = _settings(setting, runs, judges)
    with only_writer(out):
        rows = _finished(out, settings)
        seeds = [seed for seed in sampling.seeds if seed not in rows]
        if seeds:
            _foretell(setting, len(seeds))
        line = ProgressLine(2 * max(len(seeds), 1) * sampling.steps, "guide")
        done = 0
        for first in range(0, len(seeds), batch_size):
            part = tuple(seeds[first : first + batch_size])
            one = replace(setting, sampling=replace(sampling, seeds=part))

            def watch(step: int, latents: Tensor) -> None:
                nonlocal done
                done += len(latents)
                line.show(done)

            for row in _guide_batch(one, out, film, watch):
                rows[row["seed"]] = row
            _write(out, settings, setting, rows)
        line.close()
        chosen = {seed: rows[seed] for seed in sampling.seeds}
        scores = summarise(list(chosen.values()), sampling.size)
        _write(out, settings, setting, rows, scores)
    if scores:
        print(scores_text(scores))
    return out


def _settings(setting: _Setting, runs: Sequence[Path], judges: Sequence[Path]) -> dict[str, Any]:
    """All that an image depends on but its seed, as JSON values."""
    sampling = {name: value for name, value in vars(setting.sampling).items() if name != "seeds"}
    settings = {
        "runs": [str(run) for run in runs],
        "judges": [str(judge) for judge in judges],
        "wishes": {name: value for name, value in vars(setting.wishes).items() if value is not None},
        "sampling": sampling,
        "steering": vars(setting.steering),
    }
    return dict(json.loads(json.dumps(settings, default=str)))


def _finished(out: Path, settings: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Seed -> row of the images that a folder holds. Raises ConfigError if they were made otherwise."""
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
    setting: _Setting,
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


# --- What is wanted ---


def _prepare(
    runs: Sequence[Path],
    wishes: Wishes,
    sampling: Sampling,
    steering: Steering,
    device: str,
    judges: Sequence[Path],
) -> _Setting:
    heads: dict[str, GuidingHead] = {}
    for run in runs:
        trained = TrainedRun.load(run, device)
        if not isinstance(trained.method, Readout):
            raise ConfigError("only readouts guide", where=run, choices=("method.kind=readout",))
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
    appointed = appoint([TrainedRun.load(judge, device) for judge in judges], list(heads.values()))
    return _Setting(backbone, heads, wishes, sampling, steering, source, reference, drags, appointed)


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
            setting.backbone.read_latents(latents[step], int(twin.timesteps[step]), text.expand(len(latents[step]))),
            setting.sampling.size,
        )
        for step in range(steps)
    }


# --- A batch of images ---


def _guide_batch(setting: _Setting, out: Path, film: bool, watch: Any) -> list[dict[str, Any]]:
    backbone, seeds = setting.backbone, setting.sampling.seeds
    start = None if setting.source is None else setting.source.latents[0].expand(len(seeds), -1, -1, -1)
    twin = sample(backbone, setting.sampling, start=start, keep_latents=True, watch=watch)
    goals = _goals(setting, twin)
    begun = time.monotonic()
    frames: list[list[Array]] = [[] for _ in seeds]

    def look(step: int, latents: Tensor) -> None:
        watch(step, latents)
        for kept, image in zip(frames, backbone.decode_latent(latents) if film else (), strict=False):
            kept.append(draw_image(image))

    guided = sample(backbone, setting.sampling, goals, setting.steering, start=start, watch=look)
    seconds = (time.monotonic() - begun) / len(seeds)
    scored = _score_all(setting, goals, twin, guided)
    wanted = setting.wishes.source or setting.wishes.reference
    rows = []
    for place, seed in enumerate(seeds):
        pair = (twin.images[place], guided.images[place])
        write_image(out / f"unguided-{seed}.png", draw_image(pair[0]))
        write_image(out / f"guided-{seed}.png", draw_image(pair[1]))
        write_image(out / f"sheet-{seed}.png", draw_sheet(backbone, goals, wanted, pair))
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
    setting: _Setting, goals: Sequence[Goal], twin: Trajectory, guided: Trajectory
) -> dict[str, tuple[Tensor, Tensor]]:
    """Score -> its values (batch,) of the unguided and the guided images; lower is nearer to the wish."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    wishes = setting.wishes
    controls = iter(wishes.controls)
    for number, (goal, head) in enumerate(zip(goals, setting.heads.values(), strict=True)):
        judge = next((one for one in setting.judges if one.number == number), None)
        reader: Reader = OwnReader(setting.backbone, head) if judge is None else judge
        suffix = f"{number + 1}" if len(goals) > 1 else ""
        who = "own" if judge is None else "judge"
        match goal:
            case SpatialGoal():
                picture = next(controls)
                name = f"control-error{suffix}/{who}"
                pair = [control_error(reader, one.images, picture, wishes.mask) for one in (twin, guided)]
            case DragGoal():
                source = wishes.source
                before = twin.images if source is None else read_picture(source, setting.sampling.size)[None]
                name = f"drag-distance{suffix}/{who}"
                pair = [drag_distance(reader, before, one.images, goal.handles, goal.targets) for one in (twin, guided)]
            case AppearanceGoal():
                assert wishes.reference is not None
                known = read_picture(wishes.reference, setting.sampling.size)[None]
                boxes = (wishes.reference_box, wishes.box)
                name = f"appearance-distance{suffix}/{who}"
                pair = [appearance_distance(reader, known, one.images, boxes) for one in (twin, guided)]
            case _:
                raise NotImplementedError(type(goal).__name__)  # a goal of Python users; the command has no other
        found[name] = (pair[0], pair[1])
    # What guidance costs: how far the result went from the image that the same noise gives by itself.
    kept = appearance_change(setting.backbone, twin.images, guided.images)
    found["changed"] = (torch.zeros_like(kept), kept)
    return found


# --- What it costs ---


def _foretell(setting: _Setting, num_images: int) -> None:
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
    seconds = num_images * (2 * passes * plain * sampling.steps + moves * steered)
    memory = torch.cuda.max_memory_allocated() if backbone.device.type == "cuda" else psutil.Process().memory_info().rss
    print(f"about {clock(seconds)} for {num_images} image(s) and their unguided twins, {memory / 1e9:.1f} GB")
