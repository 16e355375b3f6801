"""`gensight probe`: how well each layer of a backbone predicts a target at each noise level.

Predictions are ridge regressions on cached features.

A probe's folder:

settings.json      the arguments; a probe of other settings is refused
results/           one file for each cell that was measured: a stopped probe resumes after the last
cache/             features of the noise level at work; removed at the end of each
probe.json         all scores with intervals, the best choice, and the baselines
probe.png          the map
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import yaml
from torch import Tensor

from gensight.assembly.backbones import build_backbone
from gensight.assembly.experiment import Experiment
from gensight.assembly.training_settings import choose_device
from gensight.backbones.base import Backbone, Features
from gensight.backbones.cache import CachedFeatures, FeatureCache, cached_features
from gensight.backbones.capture import choose_layers
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.config import schema
from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.config.sections import kind_of, members
from gensight.errors import ConfigError, RunError
from gensight.files.atomic import read_json, write_json
from gensight.files.hashing import value_hash
from gensight.files.lock import only_writer
from gensight.files.progress import Announce, ProgressLine, silent
from gensight.heads.maps import resize
from gensight.loading.cases import Cases
from gensight.readers.splits import Subset, evenly_spaced
from gensight.report.probe_map import ProbeMap
from gensight.samples import Size
from gensight.studies.probe.scores import Maps, ProbeScore, Task, probed_output, score_features, score_mean

Noise = Literal["none", "fixed"]
NOISES: tuple[Noise, ...] = get_args(Noise)
WORTH = 0.02  # a further layer must better the score by this share of it


@dataclass(frozen=True)
class ProbeCell:
    """One measurement: layers read together, at one timestep, of the backbone or of a random-weights copy."""

    layers: tuple[str, ...]
    timestep: int
    random_weights: bool = False


def probe(
    config: RunConfig,
    out: Path,
    timesteps: Sequence[int] = (1, 50, 150, 300),
    layers: str = "all",
    samples: int = 100,
    folds: int = 5,
    noise: Noise = "none",
    combine: int = 1,
    device: str = "auto",
    announce: Announce = silent,
) -> Path:
    """Measures layers x noise levels of a recipe's backbone on some of its training images.

    Each cell of the target is predicted from the features of that cell alone, by ridge regression, on images of groups
    that it did not learn from. Beside it: random weights at the first timestep, and the mean target. Writes probe.json
    and probe.png.

    Args:
        config: The recipe: data, view, encoding and backbone.
        out: Folder to write; a probe of the same settings in it is resumed.
        timesteps: Noise levels passed to the U-Net.
        layers: `all`, `decoder`, or names with commas between.
        samples: Number of training images, evenly spaced; all, if there are fewer.
        folds: Of the cross-validation.
        noise: `none`, the clean image; `fixed`, noised to the timestep with the same noise for every image.
        combine: Largest number of layers to read together: layers are added to the best one while the score gains 2 %.
        device: `auto`, `cpu`, `cuda` ...
        announce: Called with the table and the preset that it suggests.

    Returns:
        The folder.

    Raises:
        ConfigError: A backbone without noise levels, an unknown layer or timestep, an encoding without maps.
        DataError: No or too few labelled images.
        RunError: The folder holds a probe of other settings.
    """
    _check(config, timesteps, folds, combine, noise)
    device = choose_device(device)
    experiment = Experiment.open(config)
    probed_output(experiment.encoding)
    reader = experiment.splits.train
    chosen = evenly_spaced(range(len(reader)), min(samples, len(reader)))
    cases = Cases(Subset(reader, chosen), experiment.encoding, experiment.policy)
    task = Task.open(cases, folds)
    source = _ProbeFeatures(config, cases, noise, out / "cache", device)
    names = _layer_names(layers, source.backbone(False))
    _check_timesteps(timesteps, source.backbone(False))
    with only_writer(out):
        _check_folder(out, _settings(config, source, len(chosen), folds, noise))
        measure = _Measure(task, source, out / "results")
        grid = [ProbeCell((name,), timestep) for timestep in timesteps for name in names]
        scores = measure([*grid, *(ProbeCell((name,), timesteps[0], random_weights=True) for name in names)])
        mean = score_mean(task)
        table = _table(config, task, names, timesteps, scores, mean)
        best, score = _combine(measure, scores, table, names, timesteps, combine)
        preset = _write(out, config, task, noise, table, scores, mean, best, score)
    _announce(announce, table, preset, out)
    return out


def _announce(announce: Announce, table: ProbeMap, preset: dict[str, Any], out: Path) -> None:
    announce(table.text())
    announce(yaml.safe_dump(preset, sort_keys=False, width=110).rstrip())
    announce(f"map: {out / 'probe.png'}")


def _settings(
    config: RunConfig, source: "_ProbeFeatures", num_samples: int, folds: int, noise: Noise
) -> dict[str, Any]:
    """All that a probe's results depend on but their cells."""
    return {
        "recipe": dump_config(config),
        "weights": source.backbone(False).weights_hash(),
        "samples": num_samples,
        "folds": folds,
        "noise": noise,
    }


def _check(config: RunConfig, timesteps: Sequence[int], folds: int, combine: int, noise: str) -> None:
    if not config.backbone.is_diffusion:
        raise ConfigError(
            "only a diffusion model has noise levels to compare",
            where=f"backbone.kind={config.backbone.kind}",
            choices=[kind_of(backbone) for backbone in members(schema.Backbone) if backbone.is_diffusion],
        )
    if folds < 3:
        raise ConfigError(f"the cross-validation needs at least 3 folds, got {folds}", where="--folds")
    if combine < 1:
        raise ConfigError(f"at least one layer is read, got {combine}", where="--combine")
    if not timesteps or len(set(timesteps)) < len(timesteps):
        raise ConfigError(
            "a timestep is given twice" if timesteps else "at least one timestep is needed", where="--timesteps"
        )
    if noise not in NOISES:
        raise ConfigError(f"unknown noise {noise!r}", where="--noise", choices=NOISES)


def _check_timesteps(timesteps: Sequence[int], backbone: DiffusionBackbone) -> None:
    last = backbone.scheduler.config.num_train_timesteps - 1
    odd = [str(timestep) for timestep in timesteps if not 0 <= timestep <= last]
    if odd:
        raise ConfigError(f"timesteps are from 0 to {last}, got {', '.join(odd)}", where="--timesteps")


def _layer_names(layers: str, backbone: DiffusionBackbone) -> list[str]:
    every = backbone.every_layer
    if layers == "all":
        return [layer.name for layer in every]
    names = None if layers == "decoder" else [name.strip() for name in layers.split(",") if name.strip()]
    return [layer.name for layer in choose_layers(every, names)]


def _check_folder(out: Path, settings: dict[str, Any]) -> None:
    path = out / "settings.json"
    if path.is_file() and read_json(path) != settings:
        raise RunError("this folder holds a probe of other settings", where=out, hint="choose another with --out")
    write_json(path, settings, indent=1)


class _FixedNoise(Backbone):
    """A backbone that is shown every image under the same noise."""

    def __init__(self, backbone: DiffusionBackbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers, self.time_channels, self.stride = backbone.layers, backbone.time_channels, backbone.stride

    def features(
        self,
        images: Tensor,
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        shape = self.backbone.latent_shape((images.shape[-2], images.shape[-1]))
        fixed = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(images.device)
        return self.backbone.features(images, timestep, text, fixed.expand(len(images), *shape))

    def fingerprint(self) -> str:
        return value_hash({"backbone": self.backbone.fingerprint(), "noise": 0})


class _ProbeFeatures:
    """The features of a probe's images, at one timestep at a time."""

    def __init__(self, config: RunConfig, cases: Cases, noise: Noise, cache: Path, device: str) -> None:
        self.config, self.cases, self.noise, self.cache, self.device = config, cases, noise, cache, device
        self._backbones: dict[bool, DiffusionBackbone] = {}

    def backbone(self, random_weights: bool) -> DiffusionBackbone:
        """The frozen backbone, or the same network with random weights; loaded once."""
        if random_weights not in self._backbones:
            changes = {"layers": None, "trainable": "frozen", "random_weights": random_weights}
            section = self.config.backbone.model_copy(update=changes)
            backbone = build_backbone(self.config.model_copy(update={"backbone": section}))
            assert isinstance(backbone, DiffusionBackbone)  # the others were refused
            self._backbones[random_weights] = backbone
        return self._backbones[random_weights]

    def open(self, random_weights: bool, timestep: int, layers: Sequence[str]) -> CachedFeatures:
        """The features of these layers, computed where they are not cached."""
        backbone = self.backbone(random_weights)
        backbone.read_layers(layers)
        backbone.timestep = timestep
        shown = backbone if self.noise == "none" else _FixedNoise(backbone)
        label = f"features at timestep {timestep}{' of random weights' if random_weights else ''}"
        return cached_features(FeatureCache(self.cache, shown), self.cases, 1, self.device, label)


class _Measure:
    """Scores cells, and keeps what was measured in a folder."""

    def __init__(self, task: Task, source: _ProbeFeatures, folder: Path) -> None:
        self.task, self.source, self.folder = task, source, folder
        self.device = "cpu" if source.device.startswith("mps") else source.device  # which lacks double precision

    def __call__(self, cells: Sequence[ProbeCell]) -> dict[ProbeCell, ProbeScore]:
        """The scores of cells; those of one timestep share the backbone's pass."""
        scores = {cell: _read_score(self._path(cell)) for cell in cells if self._path(cell).is_file()}
        missing = [cell for cell in cells if cell not in scores]
        line = ProgressLine(len(cells), "probe", "cells", first=len(scores))
        for weights, timestep, group in _by_pass(missing):
            names = list(dict.fromkeys(name for cell in group for name in cell.layers))
            features = self.source.open(weights, timestep, names)
            for cell in group:
                scores[cell] = score_features(self.task, _maps(features, cell.layers, self.task), self.device)
                write_json(self._path(cell), {**_cell_json(cell), **scores[cell].to_json()})
                line.show(len(scores))
            shutil.rmtree(self.source.cache, ignore_errors=True)
        line.close()
        return {cell: scores[cell] for cell in cells}

    def _path(self, cell: ProbeCell) -> Path:
        return self.folder / f"{value_hash(_cell_json(cell))[:16]}.json"


def _by_pass(cells: Sequence[ProbeCell]) -> Iterator[tuple[bool, int, list[ProbeCell]]]:
    for key in dict.fromkeys((cell.random_weights, cell.timestep) for cell in cells):
        yield *key, [cell for cell in cells if (cell.random_weights, cell.timestep) == key]


def _cell_json(cell: ProbeCell) -> dict[str, Any]:
    return {"layers": list(cell.layers), "timestep": cell.timestep, "random_weights": cell.random_weights}


def _read_score(path: Path) -> ProbeScore:
    kept = read_json(path)
    # JSON has no NaN: it is written as null.
    low, high = (np.nan if bound is None else bound for bound in kept["interval"])
    return ProbeScore(np.nan if kept["value"] is None else kept["value"], (low, high), tuple(kept["penalties"]))


def _maps(features: CachedFeatures, layers: Sequence[str], task: Task) -> Maps:
    grid: Size = (task.targets.shape[-2], task.targets.shape[-1])

    def maps(numbers: Sequence[int]) -> Tensor:
        records = [features(number, 0) for number in numbers]
        resized = [resize(torch.stack([record[name] for record in records]).float(), grid) for name in layers]
        return torch.cat(resized, 1)

    return maps


def _table(
    config: RunConfig,
    task: Task,
    names: Sequence[str],
    timesteps: Sequence[int],
    scores: dict[ProbeCell, ProbeScore],
    mean: ProbeScore,
) -> ProbeMap:
    values = np.array(
        [
            [
                *(scores[ProbeCell((name,), timestep)].value for timestep in timesteps),
                scores[ProbeCell((name,), timesteps[0], random_weights=True)].value,
            ]
            for name in names
        ]
    )
    what = "error of the place in input pixels" if task.in_pixels else "share of the target's variance explained"
    return ProbeMap(
        f"{_backbone_name(config)}, {config.encoding.kind}, {len(task.items)} items:\n{what}",
        "px" if task.in_pixels else "R²",
        names,
        [*map(str, timesteps), f"random, {timesteps[0]}"],
        values,
        mean.value,
    )


def _backbone_name(config: RunConfig) -> str:
    name = str(getattr(config.backbone, "id", config.backbone.kind))
    return Path(name).name if Path(name).is_dir() else name


def _combine(
    measure: Callable[[Sequence[ProbeCell]], dict[ProbeCell, ProbeScore]],
    scores: dict[ProbeCell, ProbeScore],
    table: ProbeMap,
    names: Sequence[str],
    timesteps: Sequence[int],
    most: int,
) -> tuple[ProbeCell, ProbeScore]:
    """Greedy forward selection of layers at the best timestep."""
    row, column = table.best(len(timesteps))
    best = ProbeCell((names[row],), timesteps[column])
    score = scores[best]
    sign = 1 if table.smaller_is_better else -1
    while len(best.layers) < min(most, len(names)):
        further = [name for name in names if name not in best.layers]
        cells = [ProbeCell(tuple(n for n in names if n in (*best.layers, name)), best.timestep) for name in further]
        found = measure(cells)
        scores |= found
        cell = min(cells, key=lambda one: sign * found[one].value)
        if sign * (found[cell].value - score.value) > -WORTH * abs(score.value):
            break
        best, score = cell, found[cell]
    return best, score


def _write(
    out: Path,
    config: RunConfig,
    task: Task,
    noise: Noise,
    table: ProbeMap,
    scores: dict[ProbeCell, ProbeScore],
    mean: ProbeScore,
    best: ProbeCell,
    score: ProbeScore,
) -> dict[str, Any]:
    low, high = score.interval
    best_of = min if task.in_pixels else max
    random = best_of(one.value for cell, one in scores.items() if cell.random_weights)
    digits = 2 if task.in_pixels else 3
    chosen = (
        f"{config.encoding.kind} on {len(task.items)} items of {config.data.kind}: {score.value:.{digits}f} "
        f"{table.unit} [{low:.{digits}f}, {high:.{digits}f}], best of {len(scores)} cells; random weights "
        f"{random:.{digits}f}, mean target {mean.value:.{digits}f}"
    )
    preset = {"layers": list(best.layers), "timestep": best.timestep, "chosen_by": chosen}
    content = {
        "backbone": _backbone_name(config),
        "unit": table.unit,
        "smaller_is_better": table.smaller_is_better,
        "num_items": len(task.items),
        "folds": f"{len(task.folds)}, {task.note}",
        "noise": noise,
        "cells": [{**_cell_json(cell), **one.to_json()} for cell, one in scores.items()],
        "mean_target": mean.to_json(),
        "preset": preset,
    }
    write_json(out / "probe.json", content, indent=1)
    table.draw(out / "probe.png")
    return {_backbone_name(config): preset}
