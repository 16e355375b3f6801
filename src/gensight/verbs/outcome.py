"""A finished training as text: the scores, the report, and the next command."""

from pathlib import Path

from gensight.config.loading.loader import load_recipe
from gensight.engine.run_folder import RunFolder
from gensight.files.atomic import read_json
from gensight.report import scores_table_text
from gensight.studies.trained_baselines import untrained_baselines


def scores_text(run: Path) -> str:
    """The table of a run's scores and where its report is; empty where it has not been scored."""
    folder = RunFolder(Path(run))
    if not folder.metrics.is_file():
        return ""
    return f"{scores_table_text(read_json(folder.metrics))}\nreport: {folder.report}"


def outcome_text(run: Path) -> str:
    """The scores of a trained run and what to do next with it."""
    folder = RunFolder(Path(run))
    scores = scores_text(run)
    config = load_recipe(folder.config) if folder.config.is_file() else None
    if not scores and config is not None and untrained_baselines(config, folder):
        return f"next: gensight train {folder.config} --out {run}, as one process: its baselines and scores"
    match None if config is None else config.encoding.facts.items:
        case "words":
            command = f'ask {run} IMAGES "segment the ..."'
        case "pair" | "triplet":
            command = f"match {run} IMAGE OTHERS"
        case _:
            command = f"predict {run} IMAGES_OR_VIDEO"
    return "\n".join([*([scores] if scores else []), f"next: gensight {command}"])
