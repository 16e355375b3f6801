"""`gensight predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Device, Draw, Run, out_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gensight.prediction.jobs import PredictionOutcome

NAMES_SHOWN = 10


def predict(
    run: Run,
    source: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Images, folders of images or of videos, videos.")
    ],
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
    formats: Annotated[
        str, typer.Option(metavar="A,B", help="Also write keypoints as sleap (analysis h5), slp, coco, parquet or nwb.")
    ] = "",
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Predict only the I-th of N parts; the last writes the tables.")
    ] = "1/1",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first image that can't be read.")] = False,
) -> None:
    """Find what a run was trained for in images or videos.

    Keypoints are written as COCO-results json and DeepLabCut-style csv (and h5), depth and edges as PNG; pictures, or
    an mp4, show the predictions. An interrupted prediction resumes. An image that can't be read has empty rows, and
    the exit code is 1. For instruction-following runs use `gensight ask`.

    \b
    Examples:
      gensight predict runs/openfield-mouse VIDEO.mp4 --out mouse-video
      gensight predict runs/openfield-mouse DAY-1 DAY-2 --formats nwb --out mice
    """
    checks.check_prediction([run, *(also or ())], source, device, boxes)
    from gensight.verbs.predict import predict_files

    done = predict_files(
        run, source, out, device=device, draw=draw, boxes=boxes, also=also or (), detector=detector,
        detector_threshold=detector_threshold, smooth=smooth, formats=formats, shard=shard, strict=strict,
        perception_only=True,
    )  # fmt: skip
    report(done)


def report(done: "PredictionOutcome", label: str = "predictions") -> None:
    """What was written, and what could not be read: with the exit code 1 where there is any."""
    if done.num_left:
        typer.echo(f"{done.num_left} images are left to other shards; the last one writes the tables")
    else:
        for note in done.notes:
            typer.echo(f"note: {note}", err=True)
        typer.echo(f"{label}: {done.folder}")
    report_unreadable(done.num_unreadable, done.unreadable, "frames.csv")


def report_unreadable(num: int, unreadable: "Mapping[str, str]", where: str) -> None:
    """What could not be read, where anything was not: with the exit code 1."""
    if not num:
        return
    what = (
        "1 image, frame or file can't be read; its row is"
        if num == 1
        else (f"{num} images, frames or files can't be read; their rows are")
    )
    typer.echo(f"{what} empty:", err=True)
    for name, problem in list(unreadable.items())[:NAMES_SHOWN]:
        typer.echo(f"  {name}: {problem}", err=True)
    if num > NAMES_SHOWN:
        typer.echo(f"  and {num - NAMES_SHOWN} more; {where} has all of them", err=True)
    raise typer.Exit(1)
