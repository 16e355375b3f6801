"""`gensight evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Checkpoint, Device, Run, check_choice


def evaluate(
    run: Run,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Score the run's baselines beside it.")
    ] = True,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections",
            metavar="FILE",
            show_default=False,
            help="Also score keypoints on these detected boxes (COCO-results json) instead of the true ones.",
        ),
    ] = None,
) -> None:
    """Score a run on its test data, beside its baselines.

    Every score has its protocol's name and a 95 % interval. Writes metrics.json, predictions.json and report.html to
    the run folder.
    """
    check_choice(checkpoint, ("best", "last"), "--checkpoint")

    from gensight.verbs.evaluate import evaluate as run_evaluate

    run_evaluate(run, checkpoint=checkpoint, device=device, baselines=baselines, detections=detections)
