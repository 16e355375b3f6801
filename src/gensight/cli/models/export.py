"""`gensight export`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Checkpoint, Run, out_option
from gensight.files.progress import loading


def export(
    run: Run,
    out: Annotated[Path | None, out_option("By default RUN/export.")] = None,
    format: Annotated[str, typer.Option(metavar="onnx", help="What to write.")] = "onnx",
    checkpoint: Checkpoint = "best",
) -> None:
    """Write a run's networks as ONNX, checked against the run.

    For keypoints, maps and classes read off single images, and for gaze. export.json describes what each network takes
    and gives.

    \b
    Example:
      gensight export runs/openfield-mouse --format onnx
    """
    checks.check_runs([run])
    with loading():
        from gensight.verbs.export import export as run_export

    folder, differences = run_export(run, out, format, checkpoint)
    for name, difference in differences.items():
        typer.echo(f"{name}: answers as the run does, to {difference:.0e} of its range")
    typer.echo(f"exported: {folder}")
