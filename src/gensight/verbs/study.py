"""`gensight study`: one recipe over folds and seeds, in several variants, and their paired differences."""

import time
from collections.abc import Sequence
from pathlib import Path

from gensight.config.loading.loader import dump_config, load_recipe
from gensight.config.schema import RunConfig
from gensight.config.study import Cell, StudyConfig, cells
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, did_you_mean
from gensight.files.atomic import write_json, write_text
from gensight.files.lock import only_writer
from gensight.files.progress import Announce, clock, silent
from gensight.report.study import study_markdown, study_table_text, write_study_page
from gensight.studies.landmark_scores import score_landmarks
from gensight.studies.status import is_scored, study_folder
from gensight.studies.summary import summarise
from gensight.verbs.train import train


def study(
    config: StudyConfig,
    overrides: Sequence[str] = (),
    out: Path | None = None,
    only: Sequence[str] = (),
    device: str = "auto",
    summary_only: bool = False,
    announce: Announce = silent,
) -> Path:
    """Runs every run of a study that has not been run, and writes the comparison.

    Each run is an ordinary run folder, `OUT/ARM/fold-F-seed-S`. A stopped study resumes where it stopped, in
    the middle of a run too.

    Args:
        config: The study.
        overrides: Changes to the recipe of every run, `key=value` each; they win over the study's own.
        out: Folder of the study; `runs/NAME` if None.
        only: Arms to run; the comparison shows all that have been run.
        device: `auto`, `cpu`, `cuda` ...
        summary_only: Run nothing, compare what is there.
        announce: Called before each run, and with the comparison.

    Returns:
        The study's folder, with study.json (numbers), study.md (tables) and study.html.

    Raises:
        ConfigError: For an unknown arm, or mistakes in the recipe of any run; raised before the first run.
        RunError: If no run has been finished.
    """
    folder = study_folder(config, out)
    planned = list(cells(config))
    chosen = _chosen(config, planned, only)
    recipes = {cell.folder: cell_recipe(config, cell, overrides) for cell in chosen}
    with only_writer(folder):
        write_text(folder / "study.yaml", dump_config(config))
        if not summary_only:
            _run_all(chosen, recipes, folder, device, announce)
        summary = summarise(config, planned, folder)
        write_json(folder / "study.json", summary, indent=1)
        write_text(folder / "study.md", study_markdown(summary))
        write_study_page(summary, folder / "study.html")
    announce(study_table_text(summary))
    announce(f"report: {folder / 'study.html'}")
    return folder


def cell_recipe(config: StudyConfig, cell: Cell, overrides: Sequence[str] = ()) -> RunConfig:
    """The resolved recipe of one run of a study. Raises ConfigError, which names the arm."""
    try:
        return load_recipe(config.recipe, [*cell.overrides, *overrides])
    except ConfigError as error:
        raise ConfigError(
            error.what, where=f"arm {cell.arm}: {error.where}", choices=error.choices, hint=error.hint
        ) from error


def _chosen(config: StudyConfig, planned: list[Cell], only: Sequence[str]) -> list[Cell]:
    for name in only:
        if name not in config.arms:
            hint = did_you_mean(name, config.arms)
            raise ConfigError(f"this study has no arm `{name}`", where="--only", choices=config.arms, hint=hint)
    return [cell for cell in planned if not only or cell.arm in only]


def _run_all(chosen: list[Cell], recipes: dict[str, RunConfig], folder: Path, device: str, announce: Announce) -> None:
    to_do = [cell for cell in chosen if not is_scored(RunFolder(folder / cell.folder))]
    begun = time.monotonic()
    for number, cell in enumerate(to_do):
        left = f", {clock((time.monotonic() - begun) / number * (len(to_do) - number))} left" if number else ""
        announce(f"study: run {len(chosen) - len(to_do) + number + 1} of {len(chosen)}, {cell.folder}{left}")
        train(recipes[cell.folder], folder / cell.folder, device=device)
        if recipes[cell.folder].method.needs_labels is False:  # nothing has scored it yet
            score_landmarks(folder / cell.folder, device)
