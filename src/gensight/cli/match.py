"""`gensight match`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Device, Run, out_option
from gensight.cli.predict import report
from gensight.files.progress import loading


def match(
    run: Run,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image whose points are looked for.")],
    others: Annotated[Path, typer.Argument(metavar="OTHERS", help="An image, a folder of images, or a video.")],
    points: Annotated[
        str | None, typer.Option(metavar="X,Y:X,Y...", help="In pixels of IMAGE; by default an even grid.")
    ] = None,
    out: Annotated[Path | None, out_option("By default RUN/match/OTHERS.")] = None,
    device: Device = "auto",
    draw: Annotated[bool, typer.Option(help="Also write pictures, or a video, of it.")] = True,
) -> None:
    """Find points of an image in others, or compare images.

    A run of a correspondence recipe writes matches.csv and pictures of the matches; a run of an appearance recipe
    writes similarities.csv, most alike first.

    \b
    Example:
      gensight match runs/davis-correspondence dog/00000.jpg dog/ --points 420,210:380,260
    """
    checks.check_device(device)
    checks.check_inputs(image, others)
    checks.check_runs([run])
    with loading():
        from gensight.verbs.match import match as run_match
        from gensight.verbs.match import parse_points

    given = None if points is None else parse_points(points)
    report(run_match(run, image, others, out, points=given, device=device, draw=draw), "matches")
