"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gensight.errors import ConfigError

Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name (`gensight recipes`) or its path.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Changes to the recipe, such as data.root=PATH training.steps=500 view.size=[240,320].",
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained run.")]
Images = Annotated[Path, typer.Argument(metavar="INPUT", help="An image, a folder of images, or a video.")]
Draw = Annotated[bool, typer.Option(help="Also write the images, or the video, with the predictions drawn in.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, cuda:1, mps; auto takes the best one available.")]
Checkpoint = Annotated[str, typer.Option(metavar="best|last", help="Which weights of the run.")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Short for the override seed=N.")]


def out_option(help: str, metavar: str = "FOLDER") -> Any:
    """`--out`."""
    return typer.Option(metavar=metavar, help=help)


def whole_numbers(text: str, option: str, hint: str) -> list[int]:
    """The numbers of `1,2,3`. Raises ConfigError for anything else."""
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise ConfigError(f"`{text}` are no whole numbers with commas between", where=option, hint=hint)
    return [int(part) for part in text.split(",")]


def with_seed(overrides: list[str] | None, seed: int | None) -> list[str]:
    """The overrides, and the seed as the last of them."""
    return [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
