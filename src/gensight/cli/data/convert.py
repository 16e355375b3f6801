"""`gensight convert`."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM",
            help="A file of keypoints, what predict wrote, a folder as for `gensight init`, or a kind of data set.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="TO", help="A .csv, .h5, .analysis.h5 (SLEAP), .json (COCO), .parquet or .nwb; or a folder."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="After a kind of data set: root=PATH ...")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="Of a folder: coco, deeplabcut, annotated, voc ..."),
    ] = None,
) -> None:
    """Write labels or predictions in another format.

    A file holds keypoints alone; a folder is a data set with its images.

    \b
    Examples:
      gensight convert mouse-video mouse.analysis.h5
      gensight convert PROJECT labels.json
      gensight convert PROJECT coco-project --to coco
    """
    from gensight.verbs.data.convert import convert as run_convert

    done = run_convert(source, out, overrides or [], to)
    typer.echo(f"wrote {done.num_images} images with {done.num_subjects} subjects to {done.out}")
    if done.lost:
        typer.echo(f"this format does not hold: {', '.join(done.lost)}")
