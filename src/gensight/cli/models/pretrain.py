"""`gensight pretrain`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Overrides, Recipe, Seed, out_option, with_seed


def pretrain(
    recipe: Recipe,
    overrides: Overrides = None,
    out: Annotated[Path | None, out_option("By default backbones/NAME.")] = None,
    device: Device = "auto",
    seed: Seed = None,
    workers: Annotated[int, typer.Option(metavar="N", min=0, help="Processes that load or render images.")] = 2,
) -> None:
    """Train a backbone on images or videos without labels.

    The same command resumes an interrupted training.

    \b
    Examples:
      gensight pretrain pretrain-folder data.root=IMAGES --out backbones/mine
      gensight train RECIPE backbone.kind=diffusers backbone.id=backbones/mine
    """
    from gensight.config.loading.loader import load_pretrain_recipe

    config = load_pretrain_recipe(recipe, with_seed(overrides, seed))

    from gensight.verbs.pretrain import pretrain as run_pretrain  # after the recipe's mistakes are reported

    folder = run_pretrain(config, out, device=device, workers=workers)
    typer.echo(f"backbone: {folder}")
    typer.echo(f"next: gensight train RECIPE backbone.kind=diffusers backbone.id={folder}")
