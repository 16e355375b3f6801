"""`gensight datasets`: list, check, write."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List kinds of data sets, check or write one.",
                  no_args_is_help=True)  # fmt: skip


@app.command("list")
def list_kinds() -> None:
    """List the kinds of data sets, and what each needs."""
    from gensight.verbs.datasets import data_kinds

    for kind in data_kinds():
        typer.echo(f"{kind.name:<11}  {kind.description}")
        for need in kind.needs:
            typer.echo(f"{'':<11}    {need}")


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(metavar="KIND|RECIPE", show_default=False, help="A kind, or a recipe whose data to check."),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            show_default=False,
            help="The keys of its data section: root=PATH after a kind, data.root=PATH after a recipe.",
        ),
    ] = None,
) -> None:
    """Look at every image and label of a data set.

    Tells what it holds and what is wrong with it, and ends with 1 if anything is.

    \b
    Examples:
      gensight datasets check deeplabcut root=PROJECT
      gensight datasets check my-recipe.yaml
    """
    from gensight.verbs.datasets import check as run_check

    failed = False
    for name, summary in run_check(target, overrides or []).items():
        truths = f" with {', '.join(summary.truths)}" if summary.truths else ""
        typer.echo(f"{name}: {summary.num_samples} images, {summary.num_instances} instances{truths}")
        for reason, count in summary.dropped.items():
            typer.echo(f"  dropped  {count} x {reason}")
        for finding in summary.findings:
            times = f"{finding.count} x " if finding.count > 1 else ""
            where = f" ({finding.where})" if finding.where else ""
            typer.echo(f"  {finding.level:<7}  {times}{finding.what}{where}")
            failed |= finding.level == "error"
    if failed:
        raise typer.Exit(1)


@app.command()
def write(
    kind: Annotated[str, typer.Argument(metavar="KIND", show_default=False, help="What to write: puppets.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", show_default=False, help="An empty or new folder.")],
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="coco, deeplabcut, voc, davis, rgbd, spair or ap10k.")
    ] = "coco",
    num: Annotated[int, typer.Option("--num", metavar="N", min=1, help="Number of images.")] = 100,
    size: Annotated[str, typer.Option("--size", metavar="HxW", help="Height and width in pixels.")] = "128x128",
    subjects: Annotated[str, typer.Option("--subjects", metavar="people|animals|all", help="Who is drawn.")] = "people",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws the scenes.")] = 0,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            metavar="N",
            min=1,
            show_default="8 for davis and rgbd, else 1",
            help="Images that show one scene in motion.",
        ),
    ] = None,
) -> None:
    """Write the built-in data set in a format that other tools read.

    \b
    Examples:
      gensight datasets write puppets --format coco --out puppets-coco --num 500
      gensight datasets write puppets --format davis --out puppets-davis --num 160
    """
    from gensight.verbs.datasets import write as run_write

    folder = run_write(kind, out, format=format, num_samples=num, size=size, subjects=subjects, seed=seed,
                       num_frames=frames)  # fmt: skip
    typer.echo(f"wrote {num} images to {folder}")
    if format in ("coco", "deeplabcut"):
        typer.echo(f"next: gensight init {folder}")
    else:
        typer.echo(f"next: gensight datasets check {format} root={folder}")
