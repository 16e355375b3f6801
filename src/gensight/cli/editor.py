"""`gensight editor`: runs told in words, to and from diffusers."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Overrides, Run

app = typer.Typer(help="Runs told in words, to and from diffusers' InstructPix2Pix folders.", no_args_is_help=True)


@app.command("export")
def export_(
    run: Run,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", show_default=False, help="A new folder.")],
) -> None:
    """Write a run as a folder that diffusers' InstructPix2Pix pipeline loads."""
    from gensight.verbs.editor import export_editor

    typer.echo(f"pipeline: {export_editor(run, out)}")


@app.command("import")
def import_(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER_OR_ID", show_default=False, help="An InstructPix2Pix model.")
    ],
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run folder to write.")] = Path("runs/editor"),
) -> None:
    """Make a run of a published model that edits by instructions.

    \b
    Example:
      gensight editor import timbrooks/instruct-pix2pix --out runs/ip2p "encoding.categories=[cat, dog]"
    """
    from gensight.verbs.editor import import_editor

    run = import_editor(folder, out, overrides or [])
    typer.echo(f'run: {run}\nnext: gensight predict {run} IMAGES --instruction "segment the ..."')
