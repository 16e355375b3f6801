"""The runs of a study as one table: pooled scores of each arm, its spread over seeds, its difference to another arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gensight.config.study import Cell, StudyConfig
from gensight.engine.run_folder import RunFolder
from gensight.errors import RunError
from gensight.files.atomic import read_json
from gensight.metrics.base import Result, plain
from gensight.metrics.pooling import Rows, pool, pooled_difference
from gensight.studies.status import is_scored

Protocols = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Finished:
    """The scores of one model in one finished run: protocol -> entry of metrics.json, and its minutes of training."""

    cell: Cell
    protocols: Protocols
    minutes: float | None


@dataclass
class Arm:
    """One line of the summary: an arm, or a baseline of its runs."""

    name: str
    num_planned: int
    runs: list[Finished] = field(default_factory=list)
    readout: str | None = None  # of a baseline: the arm that it stands beside

    def repeats(self, protocol: str) -> list[Rows]:
        """For each seed the rows of all its folds."""
        seeds = dict.fromkeys(run.cell.seed for run in self.runs)
        return [
            [row for run in self.runs if run.cell.seed == seed for row in run.protocols[protocol]["rows"]]
            for seed in seeds
        ]


def summarise(study: StudyConfig, planned: Sequence[Cell], folder: Path) -> dict[str, Any]:
    """What `study.json` holds: every arm with a finished run, and the paired differences between them.

    Raises:
        RunError: If no run is finished.
    """
    arms = _arms(study, planned, folder)
    if not arms:
        raise RunError("no run of this study is finished", where=folder, hint="run it without --summary")
    differences = []
    for name, arm in arms.items():
        other = arm.readout or study.against(name)
        if other is not None and other in arms:
            differences += _differences(arm, arms[other])
    return {
        "name": study.name,
        "description": study.description,
        "reference": study.reference,
        "arms": [_arm(arm) for arm in arms.values()],
        "differences": differences,
    }


def _arms(study: StudyConfig, planned: Sequence[Cell], folder: Path) -> dict[str, Arm]:
    arms = {name: Arm(name, sum(cell.arm == name for cell in planned)) for name in study.arms}
    for cell in planned:
        run = RunFolder(folder / cell.folder)
        if not is_scored(run):
            continue
        for place, model in enumerate(read_json(run.metrics)["scores"]):
            own = arms[cell.arm]
            arm = own if place == 0 else arms.setdefault(
                f"{cell.arm}: {model['model']}",
                Arm(f"{cell.arm}: {model['model']}", own.num_planned, readout=cell.arm),
            )  # fmt: skip
            protocols = {result["protocol"]: result for result in model["results"]}
            arm.runs.append(Finished(cell, protocols, model.get("cost", {}).get("training_minutes")))
    return {name: arm for name, arm in arms.items() if arm.runs}


def _arm(arm: Arm) -> dict[str, Any]:
    protocols = list(arm.runs[0].protocols)
    minutes = [run.minutes for run in arm.runs if run.minutes is not None]
    return {
        "arm": arm.name,
        "num_runs": len(arm.runs),
        "num_planned": arm.num_planned,
        "training_minutes": float(np.median(minutes)) if minutes else None,
        "results": [_pooled(arm, protocol) for protocol in protocols],
    }


def _pooled(arm: Arm, protocol: str) -> dict[str, Any]:
    """The pooled score as `Result.to_json` has it, with the score of each seed and of each run."""
    repeats = arm.repeats(protocol)
    return {
        **_pool(arm, protocol, repeats).to_json(),
        "seeds": [plain(_pool(arm, protocol, [rows]).value) for rows in repeats] if _complete(arm) else [],
        "runs": [
            {
                "fold": run.cell.fold,
                "seed": run.cell.seed,
                "value": run.protocols[protocol]["value"],
                "interval": run.protocols[protocol]["interval"],
            }
            for run in arm.runs
        ],
    }


def _pool(arm: Arm, protocol: str, repeats: Sequence[Rows]) -> Result:
    entry = arm.runs[0].protocols[protocol]
    return pool(protocol, repeats, entry["higher_is_better"], entry["unit"])


def _complete(arm: Arm) -> bool:
    """Whether every seed has all its folds, so that seeds can be compared."""
    return len(arm.runs) == arm.num_planned


def _differences(arm: Arm, other: Arm) -> list[dict[str, Any]]:
    found = []
    for protocol, entry in arm.runs[0].protocols.items():
        if protocol not in other.runs[0].protocols:
            continue
        difference = pooled_difference(
            protocol, arm.repeats(protocol), other.repeats(protocol), entry["higher_is_better"], entry["unit"]
        )
        found.append({"model": arm.name, "baseline": other.name, **difference.to_json()})
    return found
