"""The guidance targets of generated images: checked, prepared once, and turned into goals of each batch of seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.errors import ConfigError
from gensight.guidance.carrying import carry
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
from gensight.guidance.sampling import ImageSampling, Trajectory, Watch, sample, steered_steps
from gensight.guidance.steering import Steering
from gensight.methods.readout.method import Readout
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array
from gensight.verbs.guidance.scores import Evaluator, choose_evaluators


@dataclass(frozen=True)
class GuidanceTargets:
    """The guidance targets, as files and numbers.

    Attributes:
        controls: One picture for each run whose head reads maps, in the order of the runs.
        source: A real image to drag in; None drags in the image that is generated without guidance.
        drags: `x,y:x,y`, handle and target, in pixels of the image.
        tracks: A numpy file of tracks instead.
        carry: Radius, in pixels, of the noisy latents that a drag copies along before they are steered; 0: none.
        reference: The picture whose appearance is the target.
        reference_box: Region of the reference, (x_min, y_min, x_max, y_max) in its pixels; or None.
        box: Region of the result; or None.
        mask: A picture, white where spatial control counts; or None.
        weights: One for each run, in their order; equal if empty.
    """

    controls: tuple[Path, ...] = ()
    source: Path | None = None
    drags: tuple[str, ...] = ()
    tracks: Path | None = None
    carry: float = 0.0
    reference: Path | None = None
    reference_box: tuple[float, float, float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    mask: Path | None = None
    weights: tuple[float, ...] = ()

    @property
    def dragging(self) -> bool:
        """Whether there are drags."""
        return bool(self.drags or self.tracks)


@dataclass(frozen=True, eq=False)
class Setting:
    """All that does not change from seed to seed."""

    backbone: DiffusionBackbone
    heads: dict[str, GuidingHead]
    targets: GuidanceTargets
    sampling: ImageSampling
    steering: Steering
    source: Inversion | None
    reference: Inversion | None
    drags: Array | None
    evaluators: list[Evaluator]

    @property
    def steps_per_seed(self) -> int:
        """Sampling steps of a guided image and its unguided image."""
        run = self.sampling.steps - self.sampling.first
        return run + (self.sampling.steps if self.source is None else run)


def prepare(
    runs: Sequence[Path],
    targets: GuidanceTargets,
    sampling: ImageSampling,
    steering: Steering,
    device: str,
    evaluators: Sequence[Path],
) -> Setting:
    """Loads runs and evaluators, checks that they fit the targets, and inverts real images. Errors as for `guide`."""
    heads: dict[str, GuidingHead] = {}
    for run in runs:
        trained = TrainedRun.load(run, device)
        if not isinstance(trained.method, Readout):
            raise ConfigError("only readouts guide", where=run, choices=("method.kind=readout",))
        heads[str(run)] = guiding_head(trained.method, str(run))
    backbone = shared_backbone(heads)
    _refuse_mismatch(heads, targets)
    drags = _drags(targets, sampling)
    if drags is not None and sampling.sampler != "ddim":
        raise ConfigError("dragging follows a trajectory of DDIM", where="--sampler", hint="use --sampler ddim")
    _refuse_late_start(targets, sampling)
    source = reference = None
    if targets.source is not None:
        source = invert(backbone, read_picture(targets.source, sampling.size), sampling.prompt, sampling.steps)
    if targets.reference is not None:
        if sampling.sampler != "ddim":
            raise ConfigError("a reference is inverted by DDIM", where="--sampler", hint="use --sampler ddim")
        reference = invert(backbone, read_picture(targets.reference, sampling.size), sampling.prompt, sampling.steps)
    chosen = choose_evaluators([TrainedRun.load(evaluator, device) for evaluator in evaluators], list(heads.values()))
    return Setting(backbone, heads, targets, sampling, steering, source, reference, drags, chosen)


def _refuse_mismatch(heads: dict[str, GuidingHead], targets: GuidanceTargets) -> None:
    kinds = [head.spec.kind for head in heads.values()]
    spatial = [kind for kind in kinds if kind not in ("matching", "appearance")]
    required = {
        "--control": (len(targets.controls), len(spatial), "a run of a map encoding (pose-image, depth-image ...)"),
        "--drag": (targets.dragging, kinds.count("matching"), "a run of a correspondence encoding"),
        "--reference": (targets.reference is not None, kinds.count("appearance"), "a run of an appearance encoding"),
    }
    for option, (num_given, num_runs, needed_run) in required.items():
        if int(num_given) != num_runs:
            raise ConfigError(
                f"{option} is given {int(num_given)} times, and {num_runs} of the runs can use it",
                where=option,
                hint=f"each {option} needs {needed_run}, and each such run one {option}",
            )
    if targets.weights and len(targets.weights) != len(heads):
        raise ConfigError(f"{len(targets.weights)} weights for {len(heads)} runs", where="--weights")
    if targets.source is not None and not targets.dragging:
        raise ConfigError("a source without --drag", where="--source", hint="give the drags: --drag x,y:x,y")


def _refuse_late_start(targets: GuidanceTargets, sampling: ImageSampling) -> None:
    late = sampling.strength < 1
    if targets.carry and not targets.dragging:
        raise ConfigError("there is nothing to carry", where="--carry", hint="give the drags: --drag x,y:x,y")
    if late and not targets.dragging:
        raise ConfigError(
            "images from noise have no later step to start from", where="--strength", hint="it is for --drag"
        )
    if targets.source is None and sampling.eta and (late or targets.carry):
        raise ConfigError(
            "a generated image is dragged from the latents of its own trajectory, which noise at each step would leave",
            where="--eta",
            hint="use --eta 0, or --carry 0 --strength 1",
        )


def _drags(targets: GuidanceTargets, sampling: ImageSampling) -> Array | None:
    if targets.tracks is not None:
        drags, given = read_tracks(targets.tracks)
        if given is not None:
            drags = drags * np.array([sampling.size[1] / given[1], sampling.size[0] / given[0]])
    elif targets.drags:
        drags = parse_drags(list(targets.drags))
    else:
        return None
    refuse_outside(drags.reshape(-1, 2), sampling.size, "--drag")
    return drags


def goals_of(setting: Setting, unguided: Trajectory) -> list[Goal]:
    """The goals of one seed; a drag without a source drags in the seed's own unguided image."""
    targets, size = setting.targets, setting.sampling.size
    weights = targets.weights or (1.0,) * len(setting.heads)
    controls = iter(targets.controls)
    goals: list[Goal] = []
    for head, weight in zip(setting.heads.values(), weights, strict=True):
        grid = head.grid_size(size)
        match head.spec.kind:
            case "matching":
                assert setting.drags is not None
                latents, _ = _dragged_from(setting, unguided)
                known = _reference(setting, head, latents, unguided)
                goals.append(DragGoal(head, known, *_ends(setting.drags), targets.carry, weight))
            case "appearance":
                assert setting.reference is not None
                known = _reference(setting, head, setting.reference.latents, unguided)
                regions = [
                    None if box is None else box_region(np.array(box), size, grid)
                    for box in (targets.reference_box, targets.box)
                ]
                goals.append(AppearanceGoal(head, known, regions[0], regions[1], weight))
            case _:
                control = read_control(next(controls), head.spec.channels, size, grid)
                mask = None if targets.mask is None else read_mask(targets.mask, size, grid)
                goals.append(SpatialGoal(head, control, mask, weight))
    return goals


def _ends(drags: Array) -> tuple[Tensor, Tensor]:
    handles, targets = (torch.from_numpy(drags[:, end]).float() for end in (0, 1))
    return handles, targets


def _dragged_from(setting: Setting, unguided: Trajectory) -> tuple[Mapping[int, Tensor], Tensor]:
    """Step -> the latents of the image that is dragged in, and those without noise."""
    if setting.source is None:
        return unguided.latents, unguided.clean
    return setting.source.latents, setting.source.clean


def start_of(setting: Setting, unguided: Trajectory) -> Tensor | None:
    """The latents that guided images start from; None: the seeds' noise."""
    sampling, carried = setting.sampling, setting.targets.carry
    if setting.source is None and not carried and sampling.first == 0:
        return None
    passed, clean = _dragged_from(setting, unguided)
    latents = passed[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
    if not carried:
        return latents
    assert setting.drags is not None
    signal = float(setting.backbone.scheduler.alphas_cumprod[int(unguided.timesteps[sampling.first])])
    return carry(latents, clean, signal, *_ends(setting.drags), carried, sampling.size, sampling.seeds)


@torch.no_grad()
def _reference(
    setting: Setting, head: GuidingHead, latents: Mapping[int, Tensor], unguided: Trajectory
) -> dict[int, Tensor]:
    """Step -> the head's descriptors of a reference's latents, for the steps that are steered."""
    text = setting.backbone.embed_text([setting.sampling.prompt])
    return {
        step: head(
            setting.backbone.read_latents(
                latents[step], int(unguided.timesteps[step]), text.expand(len(latents[step]))
            ),
            setting.sampling.size,
        )
        for step in steered_steps(setting.sampling, setting.steering)
    }


def sample_unguided(setting: Setting, watch: Watch) -> Trajectory:
    """The unguided images: from the seeds' noise, or again from the source's latents."""
    sampling = setting.sampling
    if setting.source is None:
        return sample(setting.backbone, replace(sampling, strength=1.0), keep_latents=True, watch=watch)
    start = setting.source.latents[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
    return sample(setting.backbone, sampling, start=start, keep_latents=True, watch=watch)
