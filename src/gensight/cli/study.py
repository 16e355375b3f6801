"""`gensight study`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Overrides, out_option


def study(
    recipe: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name (`gensight recipes`) or its path.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, out_option("Folder of all runs; by default runs/NAME.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ARM", help="Run this arm only; may be given several times.")
    ] = None,
    list_runs: Annotated[bool, typer.Option("--list", help="List the runs and which are finished, and stop.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Run nothing, compare the runs that are finished.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Compare variants of a recipe over folds and seeds.

    The same command resumes a study. KEY=VALUE changes the study (seeds=[0] folds=[3,4]) or, for every other
    key, the recipe of all its runs.

    \b
    Examples:
      gensight study openfield-study data.root=PROJECT --list
      gensight study openfield-study data.root=PROJECT --only scratch seeds=[0]
    """
    from gensight.config.loading.loader import load_study_recipe
    from gensight.config.study import STUDY_KEYS

    own = [text for text in overrides or [] if text.partition("=")[0].partition(".")[0] in STUDY_KEYS]
    config = load_study_recipe(recipe, own)

    if list_runs:
        from gensight.studies.status import status

        lines = status(config, out)
        width = max(len(cell.folder) for cell, _ in lines)
        for cell, state in lines:
            typer.echo(f"{cell.folder:<{width}}  {state}")
        return

    from gensight.verbs.study import study as run_study

    others = [text for text in overrides or [] if text not in own]
    run_study(config, others, out, only=only or [], device=device, summary_only=summary, announce=typer.echo)
