"""`gensight report`."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", show_default=False, help="Folders of evaluated runs.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            show_default=False,
            help="By default RUN/report.html; for several runs ./report.html.",
        ),
    ] = None,
) -> None:
    """Write one HTML page about one or several runs.

    Scores with intervals, learning curves, best and worst images, cost. Reads the run folders only, never a model.
    """
    from gensight.verbs.report import report as run_report

    typer.echo(f"report: {run_report(runs, out)}")
