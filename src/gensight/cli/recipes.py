"""`gensight recipes`."""

from typing import Annotated

import typer

from gensight.cli.options import Overrides


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="RECIPE", help="Show this one; without it, list all.")] = None,
    overrides: Overrides = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="With overrides and defaults filled in, and what every key means.")
    ] = False,
) -> None:
    """List the recipes of the package, or show one.

    \b
    Examples:
      gensight recipes
      gensight recipes demo
      gensight recipes my-recipe.yaml training.steps=500 --resolved
    """
    from gensight.verbs.recipes import recipes as list_all
    from gensight.verbs.recipes import show_recipe

    if name is not None:
        typer.echo(show_recipe(name, overrides or [], resolved).rstrip("\n"))
        return
    lines = list_all()
    width = max(len(line.name) for line in lines)
    for line in lines:
        typer.echo(f"{line.name:<{width}}  {line.verb:<8}  {line.description}")
    typer.echo("\nshow one: gensight recipes NAME; run one: gensight train NAME (or the other verb in the list)")
