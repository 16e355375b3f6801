"""`gensight init`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, out_option


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder with labels (DeepLabCut, lightning-pose, SLEAP, COCO, YOLO, Label Studio, CVAT, labelme, "
            "VIA, csv, .pts), one label file, images, videos, one video, or a public data set as it is released "
            "(DAVIS, SPair-71k, NYUv2, GazeFollow ...).",
        ),
    ],
    out: Annotated[Path | None, out_option("Recipe to write; by default ./FOLDER.yaml.", "FILE")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.5, show_default="10 on a CPU, 30 on a GPU", help="What training may take on this machine."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Write a commented recipe for your own images and labels.

    Looks at them first: format, image sizes, size of the subjects, number of labels; and measures a few training steps.
    Never overwrites a file.

    \b
    Example:
      gensight init PROJECT --out mouse.yaml
    """
    from gensight.verbs.data.init import init as run_init

    answer = run_init(folder, out, minutes, device, perception_only=True)
    for line in answer.seen:
        typer.echo(line)
    typer.echo(f"wrote {answer.recipe}")
    typer.echo(f"next: {answer.next_command}")
