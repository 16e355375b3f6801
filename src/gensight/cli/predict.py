"""`gensight predict`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Draw, Images, Run, out_option


def predict(
    run: Run,
    source: Images,
    out: Annotated[Path | None, out_option("By default RUN/predict/INPUT.")] = None,
    device: Device = "auto",
    draw: Draw = True,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the subjects are (COCO-results json), for runs that look at one box at a time."
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Finds the people first: `detect`, or a detection model's hub id or folder; instead of --boxes. For "
            "gaze also a keypoint run's folder, which finds one head in each image, unreliably: look at the overlays.",
        ),
    ] = None,
    detector_threshold: Annotated[float, typer.Option(min=0, max=1, help="Least score of a detection.")] = 0.5,
    smooth: Annotated[
        int, typer.Option(metavar="FRAMES", min=1, help="Average gaze over so many frames of a video.")
    ] = 1,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN", help="A further run (repeat the option for more): runs on one backbone share its pass."
        ),
    ] = None,
) -> None:
    """Find what a run was trained for in images or a video.

    Keypoints are written as COCO-results json and a DeepLabCut-style csv, depth and edges as PNG; pictures, or an mp4,
    show the predictions. For instruction-following runs use `gensight ask`.

    \b
    Example:
      gensight predict runs/openfield-mouse VIDEO.mp4 --out mouse-video
    """
    from gensight.verbs.predict import predict as run_predict

    folder = run_predict(
        run, source, out, device=device, draw=draw, boxes=boxes, also=also or (), detector=detector,
        detector_threshold=detector_threshold, smooth=smooth,
    )  # fmt: skip
    typer.echo(f"predictions: {folder}")
