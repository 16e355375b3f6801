"""`gensight report`: one page for one or several runs, made from their result files alone."""

from pathlib import Path

from gensight.report import write_report


def report(runs: list[Path], out: Path | None = None) -> Path:
    """Writes the page of a run into its folder, or of several runs to `out` (`report.html` if None)."""
    folders = [Path(run) for run in runs]
    if out is None:
        out = folders[0] / "report.html" if len(folders) == 1 else Path("report.html")
    return write_report(folders, out)
