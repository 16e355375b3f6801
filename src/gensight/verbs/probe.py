"""`gensight probe`: how well each layer of a backbone predicts a target at each noise level.

Predictions are ridge regressions on cached features. An image encoder has layers alone.

A probe's folder:

settings.json      the arguments; a probe of other settings is refused
results.json       the cells that were measured: a stopped probe resumes after the last
cache/             features of the noise level at work; removed at the end of each
probe.json         all scores with intervals, the best choice, and the baselines
probe.png          the map
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gensight.assembly.devices import choose_device
from gensight.assembly.experiment import Experiment
from gensight.backbones.base import ImageEncoder, named_layers
from gensight.backbones.capture import choose_layers
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.config import schema
from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.config.sections import PretrainedSection, kind_of, members
from gensight.errors import ConfigError, RunError
from gensight.files.atomic import read_json, write_json
from gensight.files.lock import only_writer
from gensight.files.progress import Announce, silent
from gensight.loading.cases import Cases
from gensight.metrics.base import counts_text
from gensight.readers.splits import Subset, evenly_spaced
from gensight.report.probe_map import ProbeMap
from gensight.studies.probe.measurement import Measurement, ProbeCell, to_json
from gensight.studies.probe.scores import ProbeScore, Task, probed_output, score_mean

WORTH = 0.02  # a further layer must better the score by this share of it


def probe(
    config: RunConfig,
    out: Path,
    timesteps: Sequence[int] = (1, 50, 150, 300),
    layers: str = "all",
    samples: int = 100,
    folds: int = 5,
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
        timesteps: Noise levels passed to the U-Net; ignored where the backbone has none.
        layers: `all`, `decoder`, or names with commas between.
        samples: Number of training images, evenly spaced; all, if there are fewer.
        folds: Of the cross-validation.
        combine: Largest number of layers to read together: layers are added to the best one while the score gains 2 %.
        device: `auto`, `cpu`, `cuda` ...
        announce: Called with the table and the preset that it suggests.

    Returns:
        The folder.

    Raises:
        ConfigError: A backbone that was not pretrained, an unknown layer or timestep, an encoding without maps.
        DataError: No or too few labelled images.
        RunError: The folder holds a probe of other settings.
    """
    timesteps = _checked_timesteps(config, timesteps, folds, combine)
    experiment = Experiment.open(config)
    probed_output(experiment.encoding)
    reader = experiment.splits.train
    chosen = evenly_spaced(range(len(reader)), min(samples, len(reader)))
    cases = Cases(Subset(reader, chosen), experiment.encoding, experiment.policy)
    task = Task.open(cases, folds)
    measure = Measurement(config, cases, task, out, choose_device(device))
    names = _layer_names(layers, timesteps, measure.backbone())
    with only_writer(out):
        _check_folder(out, config, measure, folds)
        grid = [ProbeCell((name,), timestep) for timestep in timesteps for name in names]
        measure([*grid, *(ProbeCell((name,), timesteps[0], random_weights=True) for name in names)])
        mean = score_mean(task)
        table = _table(config, task, names, timesteps, measure.scores, mean)
        row, column = table.best(len(timesteps))
        best = _combine(measure, ProbeCell((names[row],), timesteps[column]), names, combine)
        content = _content(config, measure, table, mean, best)
        write_json(out / "probe.json", content, indent=1)
        table.draw(out / "probe.png")
    announce(table.text())
    announce(yaml.safe_dump({content["backbone"]: content["preset"]}, sort_keys=False, width=110).rstrip())
    announce(f"map: {out / 'probe.png'}")
    return out


def _checked_timesteps(config: RunConfig, timesteps: Sequence[int], folds: int, combine: int) -> Sequence[int]:
    """Those to measure: one that stands for none where the backbone has no noise levels. Raises ConfigError."""
    if not isinstance(config.backbone, PretrainedSection):
        raise ConfigError(
            "only a pretrained backbone has layers to compare",
            where=f"backbone.kind={config.backbone.kind}",
            choices=[kind_of(kind) for kind in members(schema.Backbone) if issubclass(kind, PretrainedSection)],
        )
    if folds < 3:
        raise ConfigError(f"the cross-validation needs at least 3 folds, got {folds}", where="--folds")
    if combine < 1:
        raise ConfigError(f"at least one layer is read, got {combine}", where="--combine")
    if not timesteps or len(set(timesteps)) < len(timesteps):
        raise ConfigError(
            "a timestep is given twice" if timesteps else "at least one timestep is needed", where="--timesteps"
        )
    return timesteps if config.backbone.is_diffusion else (0,)


def _check_folder(out: Path, config: RunConfig, measure: Measurement, folds: int) -> None:
    """Keeps all that a probe's results depend on but their cells. Raises RunError where it differs."""
    weights, kept = measure.backbone().weights_hash(), out / "settings.json"
    settings = {"recipe": dump_config(config), "weights": weights, "samples": len(measure.cases), "folds": folds}
    if kept.is_file() and read_json(kept) != settings:
        raise RunError("this folder holds a probe of other settings", where=out, hint="choose another with --out")
    write_json(kept, settings, indent=1)


def _layer_names(layers: str, timesteps: Sequence[int], backbone: DiffusionBackbone | ImageEncoder) -> list[str]:
    """The layers to measure. Raises ConfigError for those, or timesteps, that the backbone has not."""
    every = backbone.every_layer
    names = None if layers == "decoder" else [name.strip() for name in layers.split(",") if name.strip()]
    if isinstance(backbone, ImageEncoder):
        chosen = every if names in (None, ["all"]) else named_layers(every, names)
        return [layer.name for layer in chosen]
    last = backbone.scheduler.config.num_train_timesteps - 1
    odd = [str(timestep) for timestep in timesteps if not 0 <= timestep <= last]
    if odd:
        raise ConfigError(f"timesteps are from 0 to {last}, got {', '.join(odd)}", where="--timesteps")
    return [layer.name for layer in (every if names == ["all"] else choose_layers(every, names))]


def _table(
    config: RunConfig,
    task: Task,
    names: Sequence[str],
    timesteps: Sequence[int],
    scores: dict[ProbeCell, ProbeScore],
    mean: ProbeScore,
) -> ProbeMap:
    cells = [
        [*(ProbeCell((name,), timestep) for timestep in timesteps), ProbeCell((name,), timesteps[0], True)]
        for name in names
    ]
    what = "error of the place in input pixels" if task.in_pixels else "share of the target's variance explained"
    return ProbeMap(
        f"{_backbone_name(config)}, {config.encoding.kind}, {len(task.items)} items:\n{what}",
        "px" if task.in_pixels else "R²",
        names,
        [*map(str, timesteps), f"random, {timesteps[0]}"] if config.backbone.is_diffusion else ["pretrained", "random"],
        np.array([[scores[cell].value for cell in row] for row in cells]),
        mean.value,
    )


def _backbone_name(config: RunConfig) -> str:
    name = str(getattr(config.backbone, "id", config.backbone.kind))
    return Path(name).name if Path(name).is_dir() else name


def _combine(measure: Measurement, best: ProbeCell, names: Sequence[str], most: int) -> ProbeCell:
    """Greedy forward selection of layers at the best timestep."""
    scores, sign = measure.scores, 1 if measure.task.in_pixels else -1
    while len(best.layers) < min(most, len(names)):
        further = [name for name in names if name not in best.layers]
        cells = [ProbeCell(tuple(n for n in names if n in (*best.layers, name)), best.timestep) for name in further]
        measure(cells)
        cell = min(cells, key=lambda one: sign * scores[one].value)
        if sign * (scores[cell].value - scores[best].value) > -WORTH * abs(scores[best].value):
            break
        best = cell
    return best


def _content(
    config: RunConfig, measure: Measurement, table: ProbeMap, mean: ProbeScore, best: ProbeCell
) -> dict[str, Any]:
    """What probe.json holds."""
    task, scores = measure.task, measure.scores
    score, (low, high) = scores[best], scores[best].interval
    best_of = min if task.in_pixels else max
    random = best_of(one.value for cell, one in scores.items() if cell.random_weights)
    digits = 2 if task.in_pixels else 3
    spread = f" [{low:.{digits}f}, {high:.{digits}f}]" if low == low else ""  # too few images have none
    number = counts_text(len(task.items), len(set(task.groups)))
    chosen = (
        f"{config.encoding.kind} on {number} items of {config.data.kind}: {score.value:.{digits}f} "
        f"{table.unit}{spread}, best of {len(scores)} cells; random weights "
        f"{random:.{digits}f}, mean target {mean.value:.{digits}f}"
    )
    return {
        "backbone": _backbone_name(config),
        "unit": table.unit,
        "smaller_is_better": table.smaller_is_better,
        "num_items": len(task.items),
        "num_groups": len(set(task.groups)),
        "folds": f"{len(task.folds)}, {task.note}",
        "cells": to_json(scores),
        "mean_target": asdict(mean),
        "preset": {
            "layers": list(best.layers),
            **({"timestep": best.timestep} if config.backbone.is_diffusion else {}),
            "chosen_by": chosen,
        },
    }
