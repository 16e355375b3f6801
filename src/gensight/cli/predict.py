"""`gensight predict`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Draw, Images, Run

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", show_default=False, help="By default RUN/predict/INPUT.")
]
Boxes = Annotated[
    Path | None,
    typer.Option(
        "--boxes",
        metavar="FILE",
        show_default=False,
        help="Where the subjects are (COCO-results json), for runs that look at one box at a time.",
    ),
]
Detector = Annotated[
    str | None,
    typer.Option(
        "--detector",
        metavar="MODEL",
        show_default=False,
        help="Finds the people first: `detect`, or a detection model's hub id or folder; instead of --boxes. "
        "For gaze also a keypoint run's folder, which finds one head in each image, unreliably: look at the overlays.",
    ),
]
Threshold = Annotated[float, typer.Option("--detector-threshold", min=0, max=1, help="Least score of a detection.")]
Smooth = Annotated[
    int, typer.Option("--smooth", metavar="FRAMES", min=1, help="Average gaze over so many frames of a video.")
]
Also = Annotated[
    list[Path] | None,
    typer.Option(
        "--also",
        metavar="RUN",
        show_default=False,
        help="A further run (repeat the option for more): runs on one backbone share its pass.",
    ),
]


def predict(
    run: Run,
    source: Images,
    out: Out = None,
    device: Device = "auto",
    draw: Draw = True,
    boxes: Boxes = None,
    detector: Detector = None,
    detector_threshold: Threshold = 0.5,
    smooth: Smooth = 1,
    also: Also = None,
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
        run,
        source,
        out,
        device=device,
        draw=draw,
        boxes=boxes,
        also=also or (),
        detector=detector,
        detector_threshold=detector_threshold,
        smooth=smooth,
    )
    typer.echo(f"predictions: {folder}")
