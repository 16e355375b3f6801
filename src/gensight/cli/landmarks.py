"""`gensight landmarks`: keypoints, tables and pictures from learned landmarks."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Run, out_option, whole_numbers
from gensight.cli.predict import report_unreadable
from gensight.errors import ConfigError, check_choice

REGRESSORS = ("linear", "linear-corner", "affine", "ridge")

app = typer.Typer(
    help="Landmarks learned without labels: fit keypoints to them, list them, redraw with them.", no_args_is_help=True
)


@app.command("fit-keypoints")
def fit_keypoints(
    run: Run,
    labels: Annotated[
        str,
        typer.Argument(
            metavar="LABELS", help="A DeepLabCut project, a recipe (.yaml) whose data has keypoints, or a kind of data."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Keys of its data: split.kind=order ...")
    ] = None,
    regressor: Annotated[str, typer.Option(metavar="NAME", help="linear, linear-corner, affine or ridge.")] = "ridge",
    counts: Annotated[
        str, typer.Option("--labels", metavar="N,N,...", help="Numbers of labelled frames of the curve.")
    ] = "1,5,10,20,50,100",
    out: Annotated[Path | None, out_option("Run folder; by default RUN/keypoints.")] = None,
    blocks: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Cross-validate over N contiguous blocks of the labels.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Fit labelled keypoints to a run's landmarks by linear regression; the result is a run for `gensight predict`.

    \b
    Example:
      gensight landmarks fit-keypoints runs/landmarks-mouse PROJECT --blocks 5 --labels 5,20
    """
    check_choice(regressor, REGRESSORS, "--regressor")
    numbers = whole_numbers(counts, "--labels", "for example 5,20,92")
    if 0 in numbers:
        raise ConfigError("no keypoints are fitted to 0 frames", where="--labels", hint="for example 5,20,92")

    from gensight.verbs.landmarks import fit_keypoints as run_fit
    from gensight.verbs.outcome import outcome_text

    fitted = run_fit(run, labels, overrides or [], regressor, numbers, out, device, blocks, typer.echo)  # type: ignore[arg-type]
    typer.echo(outcome_text(fitted))


@app.command()
def dump(
    run: Run,
    source: Annotated[Path, typer.Argument(metavar="IMAGES", help="Image, folder or video.")],
    out: Annotated[Path | None, out_option("A .csv or .parquet; by default RUN/landmarks/NAME.csv.", "FILE")] = None,
    device: Device = "auto",
) -> None:
    """Write each frame's landmarks, covariances, confidence and equivariance error as a table."""
    from gensight.verbs.landmarks import dump as run_dump

    unreadable: dict[str, str] = {}
    typer.echo(run_dump(run, source, out, device, unreadable))
    report_unreadable(len(unreadable), unreadable, "the table")


@app.command()
def transfer(
    run: Run,
    pose: Annotated[Path, typer.Option(metavar="FILE", help="Image or video whose poses are taken.")],
    looks: Annotated[Path, typer.Option(metavar="FILE", help="Image or video whose looks are taken.")],
    out: Annotated[Path, out_option("A picture, or of a video's poses an .mp4.", "FILE")] = Path("transfer.png"),
    device: Device = "auto",
) -> None:
    """Redraw the subject of one image or video in the pose of another, or in all poses of a video."""
    from gensight.verbs.landmarks import transfer as run_transfer

    typer.echo(run_transfer(run, pose, looks, out, device))


@app.command()
def page(
    run: Run,
    source: Annotated[Path, typer.Argument(metavar="IMAGES", help="Image, folder or video.")],
    out: Annotated[Path | None, out_option("By default RUN/landmarks.html.", "FILE")] = None,
    frames: Annotated[int, typer.Option(metavar="N", min=1, help="How many to show, at most.")] = 12,
    device: Device = "auto",
) -> None:
    """Write a page of landmarks, part maps, masks, reconstructions and equivariance errors."""
    from gensight.verbs.landmarks import page as run_page

    typer.echo(run_page(run, source, out, frames, device))
