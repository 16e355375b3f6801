"""The guidance targets of generated images: checked, prepared once, and turned into goals of each batch of seeds."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.errors import ConfigError
from gensight.files.progress import clock
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
from gensight.guidance.heads import GuidingHead, shared_backbone
from gensight.guidance.inversion import Inversion, invert
from gensight.guidance.sampling import ImageSampling, Trajectory, Watch, sample, steered_steps
from gensight.guidance.steering import Steering
from gensight.samples import Array, Size


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
    """All that does not change from seed to seed.

    Attributes:
        backbone: What the heads read.
        heads: Name of a run -> its head.
        targets: The guidance targets.
        sampling: How images are sampled.
        steering: How they are steered.
        source: The real image to drag in, inverted; or None.
        reference: The picture whose appearance is the target, inverted; or None.
        drags: float64 (num_points, 2, 2), handle and target of each; or None.
        maps: The control of each head that reads maps, in their order, and the mask.
    """

    backbone: DiffusionBackbone
    heads: dict[str, GuidingHead]
    targets: GuidanceTargets
    sampling: ImageSampling
    steering: Steering
    source: Inversion | None
    reference: Inversion | None
    drags: Array | None
    maps: tuple[tuple[Tensor, Tensor | None], ...]

    @property
    def steps_per_seed(self) -> int:
        """Sampling steps of a guided image and its unguided image."""
        run = self.sampling.steps - self.sampling.first
        return run + (self.sampling.steps if self.source is None else run)

    def sample_unguided(self, watch: Watch) -> Trajectory:
        """The unguided images: from the seeds' noise, or again from the source's latents."""
        sampling = self.sampling
        if self.source is None:
            return sample(self.backbone, replace(sampling, strength=1.0), keep_latents=True, watch=watch)
        start = self.source.latents[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
        return sample(self.backbone, sampling, start=start, keep_latents=True, watch=watch)

    def goals(self, unguided: Trajectory) -> list[Goal]:
        """The goals of one batch; a drag without a source drags in the seeds' own unguided images."""
        targets, size = self.targets, self.sampling.size
        weights = targets.weights or (1.0,) * len(self.heads)
        maps = iter(self.maps)
        goals: list[Goal] = []
        for head, weight in zip(self.heads.values(), weights, strict=True):
            grid = head.grid_size(size)
            match head.spec.kind:
                case "matching":
                    known = self._descriptors(head, (self.source or unguided).latents, unguided)
                    goals.append(DragGoal(head, known, *self._ends(), targets.carry, weight=weight))
                case "appearance":
                    assert self.reference is not None
                    known = self._descriptors(head, self.reference.latents, unguided)
                    boxes = (targets.reference_box, targets.box)
                    regions = [None if box is None else box_region(np.array(box), size, grid) for box in boxes]
                    goals.append(AppearanceGoal(head, known, *regions, weight=weight))
                case _:
                    goals.append(SpatialGoal(head, *next(maps), weight=weight))
        return goals

    def start(self, unguided: Trajectory) -> Tensor | None:
        """The latents that guided images start from; None: the seeds' noise."""
        sampling, carried = self.sampling, self.targets.carry
        if self.source is None and not carried and sampling.first == 0:
            return None
        dragged = self.source or unguided
        latents = dragged.latents[sampling.first].expand(len(sampling.seeds), -1, -1, -1)
        if not carried:
            return latents
        signal = float(self.backbone.scheduler.alphas_cumprod[int(unguided.timesteps[sampling.first])])
        return carry(latents, dragged.clean, signal, *self._ends(), carried, sampling.size, sampling.seeds)

    def _ends(self) -> tuple[Tensor, Tensor]:
        """Handles and targets of the drags, (num_points, 2) each."""
        assert self.drags is not None
        ends = torch.from_numpy(self.drags).float()
        return ends[:, 0], ends[:, 1]

    @torch.no_grad()
    def _descriptors(self, head: GuidingHead, latents: Mapping[int, Tensor], unguided: Trajectory) -> dict[int, Tensor]:
        """Step -> the head's descriptors of a reference's latents, for the steps that are steered."""
        text = self.backbone.embed_text([self.sampling.prompt])
        found = {}
        for step in steered_steps(self.sampling, self.steering):
            timestep, prompts = int(unguided.timesteps[step]), text.expand(len(latents[step]))
            features = self.backbone.read_latents(latents[step], timestep, prompts)
            found[step] = head(features, self.sampling.size)
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
        moves = len(steered_steps(sampling, self.steering)) * self.steering.inner_steps
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
    _refuse_mismatch(heads, targets)
    drags = _drags(targets, sampling)
    _refuse_sampling(targets, sampling)
    maps = tuple(_read_maps(heads, targets, sampling.size))
    source, reference = (
        None if path is None else invert(backbone, read_picture(path, sampling.size), sampling.prompt, sampling.steps)
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
