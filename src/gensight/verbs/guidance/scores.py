"""How near guided images are to their targets, scored by independent evaluators; and the summary over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.encodings.pairs.matching import find_points
from gensight.errors import ConfigError
from gensight.guidance.controls import box_region, read_control, read_mask
from gensight.guidance.goals import region_mean
from gensight.guidance.heads import GuidingHead
from gensight.methods.readout.method import Readout
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import make_result, paired_difference
from gensight.prediction.trained_run import TrainedRun
from gensight.report.tables import aligned, interval_text, score_text
from gensight.samples import Size

Box = tuple[float, float, float, float]
UNITS = {"control-error": "", "drag-distance": "px", "appearance-distance": "", "changed": ""}


@dataclass(frozen=True, eq=False)
class OwnReader:
    """A guiding head on finished images, at its backbone's own, nearly clean, timestep."""

    backbone: DiffusionBackbone
    head: GuidingHead

    @torch.no_grad()
    def read(self, images: Tensor) -> Tensor:
        images = images.to(self.backbone.device)
        return self.head(self.backbone.features(images), _size(images)).float().cpu()


@dataclass(frozen=True, eq=False)
class Evaluator:
    """An independent run that predicts from finished images, on a backbone of its own.

    Attributes:
        name: Of the run.
        number: Index of the guiding run that it evaluates, from 0.
        head: The head that predicts.
        size: (height, width) of the images that it was trained on.
    """

    name: str
    number: int
    head: GuidingHead
    size: Size

    @torch.no_grad()
    def read(self, images: Tensor) -> Tensor:
        backbone = self.head.method.backbone
        device = next(self.head.method.parameters()).device
        shown = functional.interpolate(images.to(device), size=self.size, mode="bilinear", antialias=True)
        return self.head(backbone.features(shown), self.size).float().cpu()


Reader = OwnReader | Evaluator
"""`read(images)`: (batch, channels, grid_height, grid_width) of float32 (batch, 3, height, width) in [0, 1]."""


def choose_evaluators(runs: Sequence[TrainedRun], heads: Sequence[GuidingHead]) -> list[Evaluator]:
    """Each run as the evaluator of the first guiding head of its kind that has none yet.

    Raises:
        ConfigError: If a run is no readout, reads several noise levels at once, or has the output of no guiding head.
    """
    evaluators: list[Evaluator] = []
    for run in runs:
        name = str(run.folder.root)
        if not isinstance(run.method, Readout):
            raise ConfigError("only a readout run can evaluate", where=name)
        part, spec = next(iter(run.method.parts.items()))
        if spec.timesteps not in ("clean", "random"):
            raise ConfigError(
                "an evaluator must read clean images", where=name, hint="train it with method.timesteps=clean"
            )
        head = GuidingHead(run.method, part, next(iter(spec.outputs)))
        taken = {evaluator.number for evaluator in evaluators}
        fits = [n for n, other in enumerate(heads) if n not in taken and _same_output(head, other)]
        if not fits:
            raise ConfigError(
                f"this run reads {_describe_output(head)}, and no guiding run without an evaluator does",
                where="--evaluator",
                choices=[_describe_output(other) for other in heads],
            )
        evaluators.append(Evaluator(name, fits[0], head, run.config.view.size))
    return evaluators


def _same_output(one: GuidingHead, other: GuidingHead) -> bool:
    return _describe_output(one) == _describe_output(other)


def _describe_output(head: GuidingHead) -> str:
    return f"{head.spec.kind} `{head.output}`"


def control_error(reader: Reader, images: Tensor, picture: Path, mask: Path | None) -> Tensor:
    """(batch,): root mean square difference, in [0, 1], between the images' predicted maps and a control picture."""
    maps = reader.read(images)
    grid: Size = (int(maps.shape[-2]), int(maps.shape[-1]))
    control = read_control(picture, maps.shape[1], _size(images), grid)
    squares = (maps - control).square().mean(1)
    weight = torch.ones(grid) if mask is None else read_mask(mask, _size(images), grid)
    return ((squares * weight).sum((-2, -1)) / weight.sum().clamp(min=1e-6)).sqrt()


def drag_distance(reader: Reader, before: Tensor, after: Tensor, handles: Tensor, targets: Tensor) -> Tensor:
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
    reader: Reader, reference: Tensor, images: Tensor, boxes: tuple[Box | None, Box | None]
) -> Tensor:
    """(batch,): 1 - cosine of the mean descriptors of a reference's and the images' regions (whole if None)."""
    known, shown = reader.read(reference), reader.read(images)
    grid: Size = (int(shown.shape[-2]), int(shown.shape[-1]))
    regions = [None if box is None else box_region(np.array(box), _size(images), grid) for box in boxes]
    return 1 - functional.cosine_similarity(region_mean(known, regions[0]), region_mean(shown, regions[1]), dim=1)


@torch.no_grad()
def appearance_change(backbone: DiffusionBackbone, before: Tensor, after: Tensor) -> Tensor:
    """(batch,): mean 1 - cosine of the backbone's features of two images, over cells and layers.

    It stands in for LPIPS (Zhang et al., CVPR 2018), whose weights do not come with the package; 0 is no change.
    """
    first, second = (backbone.features(images.to(backbone.device)).maps for images in (before, after))
    layers = [1 - functional.cosine_similarity(first[name], second[name], dim=1).mean((-2, -1)) for name in first]
    return torch.stack(layers).mean(0).float().cpu()


def summarise(rows: Sequence[Mapping[str, Any]], size: Size) -> list[dict[str, Any]]:
    """Each score's mean without and with guidance and their paired difference, with 95 % intervals over the seeds."""
    scores = []
    for name in rows[0]["scores"] if rows else ():
        unguided, guided = (_result(name, rows, side) for side in (0, 1))
        difference = paired_difference(guided, unguided)
        scores.append(
            {
                "name": name,
                "unit": guided.unit,
                "num_seeds": len(rows),
                "unguided": {"value": unguided.value, "interval": list(unguided.interval)},
                "guided": {"value": guided.value, "interval": list(guided.interval)},
                "difference": {"value": difference.value, "interval": list(difference.interval)},
            }
        )
    return scores


def _result(name: str, rows: Sequence[Mapping[str, Any]], side: int) -> Result:
    values = np.array([row["scores"][name][side] for row in rows], dtype=np.float64)
    return make_result(
        name,
        rows=[{"sample_key": str(row["seed"]), "score": float(v)} for row, v in zip(rows, values, strict=True)],
        higher_is_better=False,
        unit=UNITS[name.split("/")[0].rstrip("0123456789")],
    )


def scores_text(scores: Sequence[Mapping[str, Any]]) -> str:
    """The summary as a table for the terminal; lower is nearer to the target."""
    lines = [[f"{scores[0]['num_seeds']} seeds, lower is nearer", "unguided", "guided", "difference [95 %]"]]
    for score in scores:
        unit = score["unit"]
        cells = [
            _cell(score[side], unit, signed)
            for side, signed in (("unguided", False), ("guided", False), ("difference", True))
        ]
        lines.append([score["name"], *cells])
    return aligned(lines)


def _cell(score: Mapping[str, Any], unit: str, signed: bool) -> str:
    low, high = score["interval"]
    return f"{score_text(score['value'], unit, signed)} {interval_text((low, high), unit, signed)}"


def _size(images: Tensor) -> Size:
    return int(images.shape[-2]), int(images.shape[-1])
