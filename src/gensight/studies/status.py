"""The state of a study's runs, read without loading anything heavy."""

from pathlib import Path

from gensight.config.study import Cell, StudyConfig, cells
from gensight.engine.run_folder import RunFolder


def study_folder(config: StudyConfig, out: Path | None) -> Path:
    """Where a study's runs lie: `out`, or `runs/NAME`."""
    return Path("runs") / config.name if out is None else Path(out)


def is_scored(run: RunFolder) -> bool:
    """Whether a run has been trained, and scored with the weights that are there."""
    return run.finished and run.metrics.is_file() and run.metrics.stat().st_mtime >= run.weights.stat().st_mtime


def status(config: StudyConfig, out: Path | None = None) -> list[tuple[Cell, str]]:
    """Every run of a study, and whether it is `finished`, `begun` or `to do`."""
    folder = study_folder(config, out)
    found = []
    for cell in cells(config):
        run = RunFolder(folder / cell.folder)
        found.append((cell, "finished" if is_scored(run) else "begun" if run.config.is_file() else "to do"))
    return found
