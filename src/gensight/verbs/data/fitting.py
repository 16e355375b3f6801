"""A recipe that fits whole-frame labels and the user's machine: the `openfield-mouse` design, sized and timed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from gensight.assembly.readers import build_readers
from gensight.config.data import Data
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig, ScratchConfig
from gensight.errors import UserError
from gensight.files.progress import clock, loading
from gensight.samples import Size

DESIGN = "openfield-mouse"
SUBJECT_SIDE = 48  # model pixels along a subject: that of the design's mouse
NEAREST = 5  # model pixels between the nearest two keypoints, at least: a cell has 4
LONGEST_SIDE, SHORTEST_SIDE = 640, 96
UNIT = 32  # sides are multiples of it, so that every backbone takes them
NUM_LOOKED_AT = 200
UPRIGHT = 0.9  # mean of the subjects' unit directions; mice in an open field have 0.8, people upright 0.95 and more
FEWEST_STEPS, ENOUGH_STEPS, MOST_STEPS = 300, 600, 4000
SPENT = 0.95  # of the minutes; machines are not always as fast as when they were measured
CACHED = 0.3  # of the minutes on cached features, at most
NARROW = (8, 16, 32, 48, 64)
MINUTES, MINUTES_GPU = 10.0, 30.0


@dataclass(frozen=True)
class Layout:
    """How keypoints lie: `nearest`, the median distance in pixels of the nearest two; `turning`, whether subjects face
    all ways."""

    nearest: float
    turning: bool


def look_at_layout(data: Data) -> Layout:
    """How the keypoints of the training part lie to each other."""
    reader = build_readers(data).train
    points = []
    for index in range(0, len(reader), max(1, len(reader) // NUM_LOOKED_AT)):
        for one in reader[index].instances or ():
            if one.keypoints is not None:
                points.append(np.where(one.keypoints.located[:, None], one.keypoints.points, np.nan))
    stacked = np.array(points)
    nearest, longest, turning = np.inf, 0.0, False
    for a, b in combinations(range(stacked.shape[1]), 2):
        between = (stacked[:, b] - stacked[:, a])[np.isfinite(stacked[:, a] + stacked[:, b]).all(1)]
        if len(between) == 0:
            continue
        lengths = np.linalg.norm(between, axis=1)
        median = float(np.median(lengths))
        nearest = min(nearest, median) if median > 0 else nearest
        if median > longest:
            longest = median
            directions = between[lengths > 0] / lengths[lengths > 0, None]
            turning = bool(np.linalg.norm(directions.mean(0)) < UPRIGHT) if len(directions) >= 8 else False
    return Layout(float(nearest), turning)


def view_size(image_size: Size, subject_side: float, nearest: float) -> Size:
    """A model size with the images' aspect in which subjects and the gaps between keypoints are large enough."""
    longest = max(image_size)
    scale = max(SUBJECT_SIDE / max(subject_side, 1.0), NEAREST / nearest)
    side = max(SHORTEST_SIDE, min(scale * longest, LONGEST_SIDE, max(longest, SHORTEST_SIDE)))
    return rounded(side / longest * image_size[0]), rounded(side / longest * image_size[1])


def rounded(side: float) -> int:
    """The nearest side of a network's input."""
    return max(UNIT, round(side / UNIT) * UNIT)


def design(size: Size, layout: Layout, flips: bool) -> dict[str, Any]:
    """The sections of the design for images of this size."""
    recipe = load_recipe(DESIGN, ["data.root=."]).model_dump(mode="json")
    chosen = {key: recipe[key] for key in ("view", "encoding", "backbone", "method", "training", "evaluation")}
    augment = recipe["view"]["augment"] | {"flip": 0.5 if flips else 0.0, "rotation": 180 if layout.turning else 30}
    chosen["view"] = {"size": size, "crop": "frame", "augment": augment}
    chosen["evaluation"]["flip_test"] = flips
    return chosen


@dataclass(frozen=True)
class _Measured:
    """Seconds: of a step per item, of caching one view of every item, and of all else that the command does."""

    per_item: float
    per_view: float
    fixed: float

    def steps(self, batch: int, minutes: float) -> float:
        """That fit into the minutes."""
        return max(0.0, SPENT * 60 * minutes - self.fixed) / (batch * self.per_item)


def fit_to_machine(
    config: RunConfig, nearest: float, minutes: float | None, device: str, perception_only: bool = False
) -> tuple[RunConfig, str]:
    """The recipe with steps, batch, widths, size and cached views such that `gensight train` takes the minutes.

    Args:
        config: Of the design, or of one that reads cached features: then its size stays.
        nearest: Pixels between the nearest two keypoints in the model's input.
        minutes: None: 10 on a CPU, 30 on a GPU.
        device: `auto`, `cpu`, `cuda` ...
        perception_only: See `build_backbone`.

    Returns:
        The recipe, and what was measured.
    """
    with loading("measuring a few training steps"):
        from gensight.assembly.devices import choose_device

        device = choose_device(device)
        minutes = minutes or (MINUTES if device == "cpu" else MINUTES_GPU)
        try:
            config, found = _fitted_model(
                config, nearest, minutes, partial(_measure, device=device, quick=perception_only)
            )
        except UserError as error:  # training will say so, and `--dry-run`
            failed = f"nothing, since a step failed: {in_one_line(error)}"
            return _trained(config, config.training.steps, 8, minutes), failed
    batch = 8 if found.steps(8, minutes) >= ENOUGH_STEPS else 4
    steps = min(MOST_STEPS, max(FEWEST_STEPS // 2, int(found.steps(batch, minutes)) // 10 * 10))
    taken = clock(found.fixed + steps * batch * found.per_item)
    note = f"{batch * found.per_item:.2f} s for a batch of {batch} on {device}: {steps} steps in about {taken}"
    return _trained(config, steps, batch, minutes), f"{note} with validation and scores (--minutes)"


def _fitted_model(
    config: RunConfig, nearest: float, minutes: float, measured: Callable[[RunConfig], _Measured]
) -> tuple[RunConfig, _Measured]:
    """The recipe with widths, size or cached views that leave time for enough steps, and what it takes."""
    found = measured(config)
    if config.caches_features:
        # One view would be no augmentation, and is not cached.
        views = max(2, min(config.cache.views, int(CACHED * 60 * minutes / max(found.per_view, 1e-9))))
        fixed = found.fixed - (config.cache.views - views) * found.per_view
        changed = config.model_copy(update={"cache": config.cache.model_copy(update={"views": views})})
        return changed, _Measured(found.per_item, found.per_view, fixed)
    if not isinstance(config.backbone, ScratchConfig):
        return config, found
    if found.steps(4, minutes) < FEWEST_STEPS:
        config = config.model_copy(update={"backbone": config.backbone.model_copy(update={"widths": NARROW})})
        found = measured(config)
    while found.steps(4, minutes) < FEWEST_STEPS and (smaller := _smaller(config, nearest)):
        config, share = smaller
        nearest *= share**0.5
        found = _Measured(share * found.per_item, 0.0, share * found.fixed)
    return config, found


def in_one_line(error: UserError) -> str:
    """An error in one line."""
    where = f" ({error.where})" if error.where else ""
    return f"{error.what}{where}" + (f"; {error.hint}" if error.hint else "")


def _smaller(config: RunConfig, nearest: float) -> tuple[RunConfig, float] | None:
    """The recipe with the next smaller size and its share of the area; None where keypoints would share a cell."""
    height, width = config.view.size
    size = (max(UNIT, height - UNIT), rounded((height - UNIT) / height * width)) if height > UNIT else (height, width)
    share = size[0] * size[1] / (height * width)
    if share >= 1 or nearest * share**0.5 < NEAREST or max(size) < SHORTEST_SIDE:
        return None
    return config.model_copy(update={"view": config.view.model_copy(update={"size": size})}), share


def _trained(config: RunConfig, steps: int, batch: int, minutes: float) -> RunConfig:
    changes = {
        "steps": steps, "batch_size": batch, "max_minutes": minutes, "warmup_steps": min(50, steps // 20),
        "validate_every": max(1, min(200, steps // 5)),
    }  # fmt: skip
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def _measure(config: RunConfig, device: str, quick: bool) -> _Measured:
    """What the recipe takes, measured on small batches."""
    from gensight.assembly.experiment import Experiment
    from gensight.studies.dry_run import STEPS, measure

    batch = 2 if device == "cpu" else config.training.batch_size
    few = config.model_copy(update={"training": config.training.model_copy(update={"batch_size": batch})})
    found = measure(Experiment.open(few), device, perception_only=quick)
    fixed = sum(seconds for part, seconds in found.parts.items() if part != STEPS)
    return _Measured(found.costs.step / batch, (found.costs.view or 0.0) * found.num_items, fixed)
