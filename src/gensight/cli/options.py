"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", show_default=False, help="A recipe's name (`gensight recipes`) or its path.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        show_default=False,
        help="Changes to the recipe, such as data.root=PATH training.steps=500 view.size=[240,320].",
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", show_default=False, help="The folder of a trained run.")]
Images = Annotated[
    Path, typer.Argument(metavar="INPUT", show_default=False, help="An image, a folder of images, or a video.")
]
Draw = Annotated[
    bool, typer.Option("--draw/--no-draw", help="Also write the images, or the video, with the predictions drawn in.")
]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps; auto takes the best one available.")
]
Checkpoint = Annotated[str, typer.Option("--checkpoint", metavar="best|last", help="Which weights of the run.")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", show_default=False, help="Short for the override seed=N.")
]


def with_seed(overrides: list[str] | None, seed: int | None) -> list[str]:
    """The overrides, and the seed as the last of them."""
    return [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]


def check_choice(value: str, choices: tuple[str, ...], option: str) -> None:
    """Raises ConfigError if an option's value is none of its choices."""
    from gensight.errors import ConfigError, did_you_mean

    if value not in choices:
        raise ConfigError(f"unknown value '{value}'", where=option, choices=choices,
                          hint=did_you_mean(value, choices))  # fmt: skip
