"""`gensight predict`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Run


def predict(
    run: Run,
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", show_default=False, help="An image, a folder of images, or a video."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", show_default=False, help="By default RUN/predict/INPUT."),
    ] = None,
    device: Device = "auto",
    draw: Annotated[
        bool,
        typer.Option("--draw/--no-draw", help="Also write the images, or the video, with what was found drawn in."),
    ] = True,
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            metavar="FILE",
            show_default=False,
            help="Where the subjects are (COCO-results json), for runs that look at one box at a time.",
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="MODEL",
            show_default=False,
            help="Finds the people first: `detect`, or a detection model's hub id or folder; instead of --boxes.",
        ),
    ] = None,
    detector_threshold: Annotated[
        float, typer.Option("--detector-threshold", min=0, max=1, help="Least score of a detection.")
    ] = 0.5,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            "--also",
            metavar="RUN",
            show_default=False,
            help="A further run (repeat the option for more): runs on one backbone share its pass.",
        ),
    ] = None,
) -> None:
    """Find what a run was trained for in images or a video.

    Keypoints are written as COCO-results json and a DeepLabCut-style csv, depth and edges as PNG; pictures, or an mp4,
    have them drawn in.

    \b
    Example:
      gensight predict runs/openfield-mouse VIDEO.mp4 --out mouse-video
    """
    from gensight.verbs.predict import predict as run_predict

    folder = run_predict(
        run,
        source,
        out,
        device=device,
        draw=draw,
        boxes=boxes,
        also=also or (),
        detector=detector,
        detector_threshold=detector_threshold,
    )
    typer.echo(f"predictions: {folder}")
