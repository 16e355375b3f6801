"""The guidance targets of generated images: checked, prepared once, and turned into goals of each batch of seeds."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import psutil
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.errors import ConfigError
from gensight.files.progress import clock
from gensight.guidance.carrying import carry
from gensight.guidance.controls import (
    at_frames,
    box_region,
    parse_drags,
    read_control,
    read_mask,
    read_picture,
    read_tracks,
    refuse_outside,
)
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, Reference, SpatialGoal
from gensight.guidance.heads import GuidingHead, as_published, read_noisy, shared_backbone
from gensight.guidance.inversion import Inversion, InversionLevel, invert
from gensight.guidance.sampling import ImageSampling, Trajectory, Watch, branch_texts, sample, steered_steps
from gensight.guidance.steering import Steering
from gensight.samples import Size

Comparison = Literal["means", "cells"]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)


@dataclass(frozen=True)
class GuidanceTargets:
    """The guidance targets, as files and numbers.

    Attributes:
        controls: One picture for each run whose head reads maps, in the order of the runs.
        source: A real image to drag in; None drags in the image that is generated without guidance.
        drags: `x,y:x,y`, handle and target, in pixels of the image.
        tracks: A numpy file of tracks instead.
        frames: Images of a drag, the unguided one among them: the others lie on the way, the last one at its end.
        carry: Radius, in pixels, of the noisy latents that a drag copies along before they are steered; 0: none.
        reference: The picture whose appearance is the target; None, beside drags: the image that is dragged in.
        reference_box: Region of the reference, (x_min, y_min, x_max, y_max) in its pixels; or None.
        box: Region of the result; or None.
        mask: A picture, white where spatial control counts; or None.
        compare: How boxes are compared: by their `means`, or resized and cell by cell (`cells`, as published).
        weights: One for each run, or for each run and step, in their order; equal if empty.
        inversion: At which level real images are inverted.
    """

    controls: tuple[Path, ...] = ()
    source: Path | None = None
    drags: tuple[str, ...] = ()
    tracks: Path | None = None
    frames: int = 2
    carry: float = 0.0
    reference: Path | None = None
    reference_box: tuple[float, float, float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    mask: Path | None = None
    compare: Comparison = "means"
    weights: tuple[float | tuple[float, ...], ...] = ()
    inversion: InversionLevel = "current"

    @property
    def dragging(self) -> bool:
        """Whether there are drags."""
        return bool(self.drags or self.tracks)


@dataclass(frozen=True, eq=False)
class Setting:
    """All that does not change from seed to seed.

    Attributes:
        backbone: What the heads read.
        heads: Name of a run -> its head.
        targets: The guidance targets.
        sampling: How images are sampled.
        steering: How they are steered.
        source: The real image to drag in, inverted; or None.
        reference: The picture whose appearance is the target, inverted; or None.
        drags: Handles and targets, float32 (num_points, 2) each, of each image that is guided; without drags one None.
        maps: The control of each head that reads maps, in their order, and the mask.
    """

    backbone: DiffusionBackbone
    heads: dict[str, GuidingHead]
    targets: GuidanceTargets
    sampling: ImageSampling
    steering: Steering
    source: Inversion | None
    reference: Inversion | None
    drags: tuple[tuple[Tensor, Tensor] | None, ...]
    maps: tuple[tuple[Tensor, Tensor | None], ...]

    @property
    def steps_per_seed(self) -> int:
        """Sampling steps of the guided images of a seed and its unguided image."""
        run = self.sampling.steps - self.sampling.first
        return run * len(self.drags) + (self.sampling.steps if self.source is None else run)

    def sample_unguided(self, watch: Watch) -> Trajectory:
        """The unguided images: from the seeds' noise, or again from the source's latents."""
        scale = self.sampling.unguided_scale
        sampling = replace(self.sampling, guidance_scale=self.sampling.guidance_scale if scale is None else scale)
        if self.source is None:
            return sample(self.backbone, replace(sampling, strength=1.0), keep_latents=True, watch=watch)
        start = self.source.latents[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
        return sample(self.backbone, sampling, start=start, keep_latents=True, watch=watch)

    def goals(self, unguided: Trajectory, frame: int = -1) -> list[Goal]:
        """The goals of one batch for one of the drags; without a source it drags in the seeds' own unguided images."""
        targets, size = self.targets, self.sampling.size
        weights = targets.weights or (1.0,) * len(self.heads)
        maps = iter(self.maps)
        source = None if self.steering.as_published else self.source
        own = unguided.latents if source is None else source.latents
        goals: list[Goal] = []
        for head, weight in zip(self.heads.values(), weights, strict=True):
            ranged = unguided.latents if self.steering.as_published else None
            shared: dict[str, Any] = {"weight": weight, "unguided": ranged}
            match head.spec.kind:
                case "matching":
                    known, ends = self._descriptors(head, own, unguided), self._ends(frame)
                    goals.append(DragGoal(head, known, *ends, targets.carry, self.steering.as_published, **shared))
                case "appearance":
                    known = self._descriptors(head, own if self.reference is None else self.reference.latents, unguided)
                    boxes, grid = (targets.reference_box, targets.box), head.grid_size(size)
                    theirs, mine = (None if box is None else box_region(np.array(box), size, grid) for box in boxes)
                    goals.append(AppearanceGoal(head, known, theirs, mine, targets.compare == "cells", **shared))
                case _:
                    goals.append(SpatialGoal(head, *next(maps), **shared))
        return goals

    def start(self, unguided: Trajectory, frame: int = -1) -> Tensor | None:
        """The latents that guided images start from; None: the seeds' noise."""
        sampling, carried = self.sampling, self.targets.carry
        if self.source is None and not carried and sampling.first == 0:
            return None
        dragged = self.source or unguided
        latents = dragged.latents[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
        if not carried:
            return latents
        signal = float(self.backbone.scheduler.alphas_cumprod[int(unguided.timesteps[sampling.first])])
        return carry(latents, dragged.clean, signal, *self._ends(frame), carried, sampling.size, sampling.seeds)

    def _ends(self, frame: int) -> tuple[Tensor, Tensor]:
        ends = self.drags[frame]
        assert ends is not None
        return ends

    @torch.no_grad()
    def _descriptors(self, head: GuidingHead, latents: Mapping[int, Tensor], unguided: Trajectory) -> Reference:
        """The head's descriptors of a reference's latents, at the steps that are steered."""
        texts = branch_texts(self.backbone, self.sampling, self.steering)
        found = {}
        for step in steered_steps(self.sampling, self.steering):
            timestep, noisy = int(unguided.timesteps[step]), latents[step]
            passes = [read_noisy(self.backbone, noisy, timestep, text.expand(len(noisy))) for text in texts]
            found[step] = tuple(head(features, self.sampling.size) for features in passes)
        return found

    def estimate(self, num_images: int) -> str:
        """Estimated time and memory of a run, from one timed pass of each kind."""
        backbone, sampling = self.backbone, self.sampling
        shape = (1, *backbone.latent_shape(sampling.size))
        latents, text = torch.randn(shape, device=backbone.device), backbone.embed_text([sampling.prompt])
        started = time.monotonic()
        with torch.no_grad():
            backbone.denoise(latents, 500, text)
        plain = time.monotonic() - started
        started = time.monotonic()
        with backbone.checkpointed(self.steering.memory == "low"), torch.enable_grad():
            moving = latents.requires_grad_(True)
            features = backbone.read_latents(moving, 500, text)
            readouts = [head(features, sampling.size) for head in self.heads.values()]
            torch.autograd.grad(torch.stack([one.square().mean() for one in readouts]).sum(), moving)
        steered = time.monotonic() - started
        passes = 1 if sampling.guidance_scale == 1 else 2
        moves = len(steered_steps(sampling, self.steering)) * self.steering.inner_steps * len(self.drags)
        moves *= 2 if self.steering.branches == "both" else 1
        seconds = num_images * (passes * plain * self.steps_per_seed + moves * steered)
        on_gpu = backbone.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated() if on_gpu else psutil.Process().memory_info().rss
        return f"about {clock(seconds)} for {num_images} image(s), each also without guidance, {memory / 1e9:.1f} GB"


def prepare(
    heads: dict[str, GuidingHead], targets: GuidanceTargets, sampling: ImageSampling, steering: Steering
) -> Setting:
    """Checks that heads, by the names of their runs, fit the targets, and inverts real images.

    Raises:
        ConfigError: For heads of different backbones, targets without a head, heads without a target, and settings of
            the sampler that the targets exclude.
        DataError: If a picture cannot be read.
    """
    backbone = shared_backbone(heads)
    _refuse_mismatch(heads, targets, sampling.steps)
    drags = tuple(_drags(targets, sampling))
    _refuse_sampling(targets, sampling)
    if steering.as_published:
        heads = {name: as_published(head) for name, head in heads.items()}
    maps = tuple(_read_maps(heads, targets, sampling.size))
    source, reference = (
        None
        if path is None
        else invert(backbone, read_picture(path, sampling.size), sampling.prompt, sampling.steps, targets.inversion)
        for path in (targets.source, targets.reference)
    )
    return Setting(backbone, heads, targets, sampling, steering, source, reference, drags, maps)


def _read_maps(
    heads: dict[str, GuidingHead], targets: GuidanceTargets, size: Size
) -> Iterator[tuple[Tensor, Tensor | None]]:
    spatial = [head for head in heads.values() if head.spec.kind not in ("matching", "appearance")]
    for head, path in zip(spatial, targets.controls, strict=True):
        grid = head.grid_size(size)
        control = read_control(path, head.spec.channels, size, grid)
        yield control, None if targets.mask is None else read_mask(targets.mask, size, grid)


def _refuse_mismatch(heads: dict[str, GuidingHead], targets: GuidanceTargets, steps: int) -> None:
    kinds = [head.spec.kind for head in heads.values()]
    spatial = [kind for kind in kinds if kind not in ("matching", "appearance")]
    required = {
        "--control": (len(targets.controls), len(spatial), "a run of a map encoding (pose-image, depth-image ...)"),
        "--drag": (targets.dragging, kinds.count("matching"), "a run of a correspondence encoding"),
        "--reference": (targets.reference is not None, kinds.count("appearance"), "a run of an appearance encoding"),
    }
    for option, (num_given, num_runs, needed_run) in required.items():
        own_appearance = option == "--reference" and targets.dragging and not num_given
        if int(num_given) != num_runs and not (own_appearance and num_runs == 1):
            raise ConfigError(
                f"{option} is given {int(num_given)} times, and {num_runs} of the runs can use it",
                where=option,
                hint=f"each {option} needs {needed_run}, and each such run one {option}",
            )
    if targets.weights and len(targets.weights) != len(heads):
        raise ConfigError(f"{len(targets.weights)} weights for {len(heads)} runs", where="--weights")
    for weight in targets.weights:
        if isinstance(weight, tuple) and len(weight) != steps:
            raise ConfigError(
                f"{len(weight)} weights of a run for {steps} steps", where="--weights", hint="one for each, W:W:W..."
            )
    if targets.source is not None and not targets.dragging:
        raise ConfigError("a source without --drag", where="--source", hint="give the drags: --drag x,y:x,y")


def _refuse_sampling(targets: GuidanceTargets, sampling: ImageSampling) -> None:
    late = sampling.strength < 1
    if sampling.sampler != "ddim" and (targets.dragging or targets.reference is not None):
        raise ConfigError(
            "drags and references follow a trajectory of DDIM", where="--sampler", hint="use --sampler ddim"
        )
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


def _drags(targets: GuidanceTargets, sampling: ImageSampling) -> Iterator[tuple[Tensor, Tensor] | None]:
    """Handles and targets of each image that is guided; None where nothing is dragged."""
    if not targets.dragging:
        yield None
        return
    given: Size | None = None
    if targets.tracks is not None:
        points, visible, given = read_tracks(targets.tracks)
    else:
        points = parse_drags(list(targets.drags))
        visible = np.ones(points.shape[:2], bool)
    if given is not None:
        points = points * np.array([sampling.size[1] / given[1], sampling.size[0] / given[0]])
    points, visible = at_frames(points, visible, targets.frames)
    for place, shown in zip(points[1:], visible[1:], strict=True):
        both = shown & visible[0]
        if not both.any():
            raise ConfigError("no point is visible at both ends of a drag", where="--tracks")
        ends = np.stack([points[0][both], place[both]])
        refuse_outside(ends.reshape(-1, 2), sampling.size, "--drag")
        yield torch.from_numpy(ends[0]).float(), torch.from_numpy(ends[1]).float()
