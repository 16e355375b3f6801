"""How near guided images are to their targets, scored by independent evaluators; and the summary over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.encodings.pairs.matching import find_points
from gensight.errors import ConfigError
from gensight.guidance.controls import box_region, read_control, read_mask, read_picture
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, SpatialGoal, region_mean
from gensight.guidance.heads import GuidingHead
from gensight.guidance.targets import Setting
from gensight.methods.base import Method
from gensight.methods.readout.method import Readout
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import Difference, make_result, paired_difference
from gensight.samples import Size

Box = tuple[float, float, float, float]
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class HeadOnImages:
    """A trained head on finished images, at its backbone's own, nearly clean, timestep.

    Attributes:
        head: The head.
        size: (height, width) that images are resized to first; None: as they are.
    """

    head: GuidingHead
    size: Size | None = None

    @torch.no_grad()
    def read(self, images: Tensor) -> Tensor:
        """(batch, channels, grid_height, grid_width) of float32 images (batch, 3, height, width) in [0, 1]."""
        images = images.to(next(self.head.method.parameters()).device)
        if self.size is not None:
            images = functional.interpolate(images, size=self.size, mode="bilinear", antialias=True)
        return self.head(self.head.method.backbone.features(images), _size(images), clamp=True).float().cpu()


def choose_evaluators(
    runs: Sequence[tuple[str, Method, Size]], heads: Sequence[GuidingHead]
) -> dict[int, HeadOnImages]:
    """Index of a guiding head -> the run that evaluates it: the first of its kind.

    Args:
        runs: Name, method and image size of each run; they may have any backbone.
        heads: The guiding heads.

    Raises:
        ConfigError: If a run is no readout, reads several noise levels at once, or has the output of no guiding head.
    """
    evaluators: dict[int, HeadOnImages] = {}
    for name, method, size in runs:
        if not isinstance(method, Readout):
            raise ConfigError("only a readout run can evaluate", where=name)
        part, spec = next(iter(method.parts.items()))
        if spec.timesteps not in ("clean", "random"):
            raise ConfigError(
                "an evaluator must read clean images", where=name, hint="train it with method.timesteps=clean"
            )
        head = GuidingHead(method, part, next(iter(spec.outputs)))
        outputs = [f"{one.spec.kind} `{one.output}`" for one in (head, *heads)]
        fits = [n for n, output in enumerate(outputs[1:]) if n not in evaluators and output == outputs[0]]
        if not fits:
            raise ConfigError(
                f"this run reads {outputs[0]}, and no guiding run without an evaluator does",
                where="--evaluator",
                choices=outputs[1:],
            )
        evaluators[fits[0]] = HeadOnImages(head, size)
    return evaluators


def score_images(
    setting: Setting, goals: Sequence[Goal], evaluators: Mapping[int, HeadOnImages], images: Pair
) -> dict[str, Pair]:
    """Score -> its values (batch,) of the unguided and the guided images; lower is nearer to the target.

    Args:
        setting: Its heads score their own images where they have no evaluator.
        goals: One for each head.
        evaluators: Index of a head -> its evaluator.
        images: The unguided and the guided ones, (batch, 3, height, width) in [0, 1] each.
    """
    found: dict[str, Pair] = {}
    targets, controls = setting.targets, iter(setting.targets.controls)
    size = setting.sampling.size
    for number, (goal, head) in enumerate(zip(goals, setting.heads.values(), strict=True)):
        reader = evaluators.get(number, HeadOnImages(replace(head, timed=True, unit=True)))
        match goal:
            case SpatialGoal():
                name, control = "control-error", next(controls)
                before, after = (control_error(reader, one, control, targets.mask) for one in images)
            case DragGoal():
                name, source = "drag-distance", targets.source
                known = images[0] if source is None else read_picture(source, size)[None]
                before, after = (drag_distance(reader, known, one, goal.handles, goal.targets) for one in images)
            case AppearanceGoal():
                name, picture = "appearance-distance", targets.reference or targets.source
                known = images[0] if picture is None else read_picture(picture, size)[None]
                boxes = (targets.reference_box, targets.box)
                before, after = (appearance_distance(reader, known, one, boxes) for one in images)
            case _:
                raise NotImplementedError(type(goal).__name__)  # a goal of Python users; the command has no other
        suffix = f"{number + 1}" if len(goals) > 1 else ""
        scored_by = "evaluator" if number in evaluators else "own"
        found[f"{name}{suffix}/{scored_by}"] = (before, after)
    # The cost of guidance: how far the result is from the unguided image of the same noise.
    kept = appearance_change(setting.backbone, *images)
    return found | {"changed": (torch.zeros_like(kept), kept)}


def control_error(reader: HeadOnImages, images: Tensor, picture: Path, mask: Path | None) -> Tensor:
    """(batch,): root mean square difference, in [0, 1], between the images' predicted maps and a control picture."""
    maps = reader.read(images)
    grid = _size(maps)
    control = read_control(picture, maps.shape[1], _size(images), grid)
    region = None if mask is None else read_mask(mask, _size(images), grid)
    return region_mean((maps - control).square().mean(1), region).sqrt()


def drag_distance(reader: HeadOnImages, before: Tensor, after: Tensor, handles: Tensor, targets: Tensor) -> Tensor:
    """(batch,): mean distance, in pixels, between the targets and where the handles' descriptors are found.

    Args:
        reader: Of matching descriptors.
        before: (1 or batch, 3, height, width), where the handles lie.
        after: (batch, 3, height, width).
        handles: (num_points, 2), (x, y) in pixels.
        targets: (num_points, 2).
    """
    first, second = reader.read(before).expand(len(after), -1, -1, -1), reader.read(after)
    cell = np.array([after.shape[-1] / second.shape[-1], after.shape[-2] / second.shape[-2]])
    distances = []
    for one, other in zip(first, second, strict=True):
        found, _ = find_points(one, other, handles.double().numpy() / cell)
        distances.append(float(np.linalg.norm(found * cell - targets.double().numpy(), axis=1).mean()))
    return torch.tensor(distances)


def appearance_distance(
    reader: HeadOnImages, reference: Tensor, images: Tensor, boxes: tuple[Box | None, Box | None]
) -> Tensor:
    """(batch,): 1 - cosine of the mean descriptors of a reference's and the images' regions (whole if None)."""
    known, shown = reader.read(reference), reader.read(images)
    regions = [None if box is None else box_region(np.array(box), _size(images), _size(shown)) for box in boxes]
    return 1 - functional.cosine_similarity(region_mean(known, regions[0]), region_mean(shown, regions[1]), dim=1)


@torch.no_grad()
def appearance_change(backbone: DiffusionBackbone, before: Tensor, after: Tensor) -> Tensor:
    """(batch,): mean 1 - cosine of the backbone's features of two images, over cells and layers.

    It stands in for LPIPS (Zhang et al., CVPR 2018), whose weights do not come with the package; 0 is no change.
    """
    first, second = (backbone.features(images.to(backbone.device)).maps for images in (before, after))
    layers = [1 - functional.cosine_similarity(first[name], second[name], dim=1).mean((-2, -1)) for name in first]
    return torch.stack(layers).mean(0).float().cpu()


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each score's mean without and with guidance and their paired difference, with 95 % intervals over the seeds."""
    scores = []
    for name in rows[0]["scores"] if rows else ():
        unguided, guided = (_result(name, rows, side) for side in (0, 1))
        sides: dict[str, Result | Difference] = {"unguided": unguided, "guided": guided}
        sides["difference"] = paired_difference(guided, unguided)
        values = {side: {"value": one.value, "interval": list(one.interval)} for side, one in sides.items()}
        scores.append({"name": name, "unit": guided.unit, "num_seeds": len(rows), **values})
    return scores


def _result(name: str, rows: Sequence[Mapping[str, Any]], side: int) -> Result:
    values = np.array([row["scores"][name][side] for row in rows], dtype=np.float64)
    return make_result(
        name,
        rows=[{"sample_key": str(row["seed"]), "score": float(v)} for row, v in zip(rows, values, strict=True)],
        higher_is_better=False,
        unit="px" if name.startswith("drag-distance") else "",
    )


def _size(images: Tensor) -> Size:
    return int(images.shape[-2]), int(images.shape[-1])
