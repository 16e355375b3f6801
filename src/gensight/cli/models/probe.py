"""`gensight probe`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Overrides, Recipe, out_option, whole_numbers


def probe(
    recipe: Recipe,
    overrides: Overrides = None,
    timesteps: Annotated[str, typer.Option(metavar="N,N...", help="Noise levels, 0 (clean) to 999.")] = "1,50,150,300",
    layers: Annotated[str, typer.Option(metavar="all|decoder|NAME,NAME...", help="Which layers.")] = "all",
    samples: Annotated[int, typer.Option(min=1, help="Number of training images.")] = 100,
    folds: Annotated[int, typer.Option(help="Of the cross-validation; whole groups stay together.")] = 5,
    combine: Annotated[int, typer.Option(help="Also try up to so many layers together.")] = 1,
    out: Annotated[Path | None, out_option("By default runs/NAME-probe.")] = None,
    device: Device = "auto",
) -> None:
    """Measure which layers of a backbone predict a target best.

    By ridge regression on cached features, cross-validated, beside random weights and the mean target. The same
    command resumes an interrupted probe.

    \b
    Examples:
      gensight probe demo --timesteps 1,50,150,300 --layers all --out runs/probe
      gensight probe my_project.yaml backbone.kind=diffusers backbone.id=FOLDER --layers decoder --combine 3
    """
    from gensight.config.loading.loader import load_recipe

    levels = whole_numbers(timesteps, "--timesteps", "for example 1,50,150")
    config = load_recipe(recipe, overrides or [])

    from gensight.verbs.probe import probe as run_probe

    run_probe(
        config,
        out or Path("runs") / f"{config.name}-probe",
        timesteps=levels,
        layers=layers,
        samples=samples,
        folds=folds,
        combine=combine,
        device=device,
        announce=typer.echo,
    )
