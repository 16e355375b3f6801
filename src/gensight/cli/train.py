"""`gensight train`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Device, Overrides, Recipe, Seed, out_option, with_seed
from gensight.files.progress import loading


def train(
    recipe: Recipe,
    overrides: Overrides = None,
    out: Annotated[Path | None, out_option("Run folder; by default runs/NAME.")] = None,
    device: Device = "auto",
    seed: Seed = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, run one batch, print memory and time, and stop.")
    ] = False,
) -> None:
    """Train a recipe, or resume an interrupted run.

    The same command resumes the run. RECIPE may also be a run folder: the run in it is resumed, or, with more
    training.steps or training.max_minutes, trained further; evaluation.* may change too.

    \b
    Examples:
      gensight train demo
      gensight train openfield-mouse data.root=PROJECT --seed 1 --out runs/mouse-1
      gensight train runs/mouse-1
      gensight train runs/mouse-1 training.steps=4000
    """
    checks.check_device(device)
    from gensight.config.loading.loader import load_recipe

    folder = Path(recipe)
    # A DeepLabCut project has a config.yaml too, but is no run.
    if (folder / "config.yaml").is_file() and not (folder / "labeled-data").is_dir():
        recipe, out = str(folder / "config.yaml"), out or folder
    config = load_recipe(recipe, with_seed(overrides, seed))

    from gensight.engine.processes import is_first_process

    if dry_run:
        with loading():  # after the recipe's mistakes are shown
            from gensight.studies.dry_run import dry_run as run_dry

        if is_first_process():
            typer.echo(run_dry(config, device, perception_only=True).text())
        return
    with loading():
        from gensight.verbs.outcome import outcome_text
        from gensight.verbs.train import train as run_train

    run = run_train(config, out, device=device, announce=typer.echo)
    if is_first_process():
        typer.echo(outcome_text(run))
