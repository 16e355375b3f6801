"""`gensight report`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import out_option


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of evaluated runs.")],
    out: Annotated[
        Path | None, out_option("By default RUN/report.html; for several runs ./report.html.", "FILE")
    ] = None,
) -> None:
    """Write one HTML page about one or several runs.

    Scores with intervals, learning curves, best and worst images, cost. Reads the run folders only, never a model.
    """
    from gensight.verbs.report import report as run_report

    typer.echo(f"report: {run_report(runs, out)}")
