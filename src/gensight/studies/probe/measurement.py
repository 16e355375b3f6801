"""The cells of a probe, measured one by one and kept in a folder, so that a stopped probe resumes after the last."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gensight.assembly.backbones import build_backbone
from gensight.backbones.base import ImageEncoder
from gensight.backbones.cache import CachedFeatures, FeatureCache, cached_features
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.config.schema import RunConfig
from gensight.files.atomic import read_json, write_json
from gensight.files.progress import ProgressLine
from gensight.heads.maps import resize
from gensight.loading.cases import Cases
from gensight.samples import Size
from gensight.studies.probe.scores import ProbeScore, Task, score_features


@dataclass(frozen=True)
class ProbeCell:
    """One measurement: layers read together, at one timestep, of the backbone or of a random-weights copy."""

    layers: tuple[str, ...]
    timestep: int
    random_weights: bool = False


class Measurement:
    """Scores cells; `results.json` has those that were scored, also by earlier runs.

    Args:
        config: The recipe, whose backbone is pretrained.
        cases: The images.
        task: Their targets.
        folder: Of the probe.
        device: Where the backbone runs.

    Attributes:
        scores: Of all cells that were requested.
    """

    def __init__(self, config: RunConfig, cases: Cases, task: Task, folder: Path, device: str) -> None:
        self.config, self.cases, self.task = config, cases, task
        self.results, self.cache, self.device = folder / "results.json", folder / "cache", device
        self.scores: dict[ProbeCell, ProbeScore] = {}
        self._backbones: dict[bool, DiffusionBackbone | ImageEncoder] = {}

    def backbone(self, random_weights: bool = False) -> DiffusionBackbone | ImageEncoder:
        """The frozen backbone, or the same network with random weights; loaded once."""
        if random_weights not in self._backbones:
            changes = {"layers": None, "trainable": "frozen", "random_weights": random_weights}
            fields = type(self.config.backbone).model_fields
            section = self.config.backbone.model_copy(update={k: v for k, v in changes.items() if k in fields})
            backbone = build_backbone(self.config.model_copy(update={"backbone": section}))
            assert isinstance(backbone, DiffusionBackbone | ImageEncoder)  # the others were refused
            self._backbones[random_weights] = backbone
        return self._backbones[random_weights]

    def __call__(self, cells: Sequence[ProbeCell]) -> None:
        """Adds the scores of cells; those of one timestep share the backbone's pass."""
        kept = _read(self.results)
        missing = [cell for cell in cells if cell not in kept]
        line = ProgressLine(len(cells), "probe", "cells", first=len(cells) - len(missing))
        device = "cpu" if self.device.startswith("mps") else self.device  # which lacks double precision
        for passed in dict.fromkeys((cell.random_weights, cell.timestep) for cell in missing):
            group = [cell for cell in missing if (cell.random_weights, cell.timestep) == passed]
            features = self._features(*passed, list(dict.fromkeys(name for cell in group for name in cell.layers)))
            for cell in group:
                maps = _LayerMaps(features, cell.layers, (self.task.targets.shape[-2], self.task.targets.shape[-1]))
                kept[cell] = score_features(self.task, maps, device)
                write_json(self.results, to_json(kept), indent=1)
                line.show(sum(cell in kept for cell in cells))
            shutil.rmtree(self.cache, ignore_errors=True)
        line.close()
        self.scores |= {cell: kept[cell] for cell in cells}

    def _features(self, random_weights: bool, timestep: int, layers: Sequence[str]) -> CachedFeatures:
        backbone = self.backbone(random_weights)
        backbone.read_layers(layers)
        label = "features"
        if isinstance(backbone, DiffusionBackbone):
            backbone.timestep = timestep
            label += f" at timestep {timestep}"
        label += " of random weights" if random_weights else ""
        return cached_features(FeatureCache(self.cache, backbone), self.cases, 1, self.device, label)


def to_json(scores: dict[ProbeCell, ProbeScore]) -> list[dict[str, Any]]:
    return [asdict(cell) | asdict(score) for cell, score in scores.items()]


def _read(path: Path) -> dict[ProbeCell, ProbeScore]:
    found = {}
    for entry in read_json(path) if path.is_file() else ():
        cell = ProbeCell(tuple(entry["layers"]), entry["timestep"], entry["random_weights"])
        # JSON has no NaN: it is written as null.
        value, low, high = (np.nan if one is None else one for one in (entry["value"], *entry["interval"]))
        found[cell] = ProbeScore(value, (low, high), tuple(entry["penalties"]))
    return found


@dataclass(frozen=True, eq=False)
class _LayerMaps:
    """Image numbers -> the layers' features on the targets' grid, one after the other."""

    features: CachedFeatures
    layers: Sequence[str]
    grid: Size

    def __call__(self, numbers: Sequence[int]) -> Tensor:
        records = [self.features(number, 0) for number in numbers]
        resized = [resize(torch.stack([record[name] for record in records]).float(), self.grid) for name in self.layers]
        return torch.cat(resized, 1)
