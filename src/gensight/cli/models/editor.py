"""`gensight editor`: instruction-following runs, to and from diffusers."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Overrides, Run, out_option

app = typer.Typer(help="Instruction models, to and from diffusers' InstructPix2Pix folders.", no_args_is_help=True)


@app.command("export")
def export_(run: Run, out: Annotated[Path, out_option("A new folder.")]) -> None:
    """Write a run as a folder that diffusers' InstructPix2Pix pipeline loads."""
    from gensight.verbs.editor import export_editor

    typer.echo(f"pipeline: {export_editor(run, out)}")


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(metavar="MODEL", help="InstructPix2Pix folder, hub id, .ckpt or .safetensors.")
    ],
    overrides: Overrides = None,
    out: Annotated[Path, out_option("The run folder to write.", "RUN")] = Path("runs/editor"),
    config: Annotated[
        str, typer.Option(metavar="FOLDER_OR_ID", help="For a single file: an editor folder's settings.")
    ] = "timbrooks/instruct-pix2pix",
) -> None:
    """Make a run of a published model that edits by instructions.

    A single file holds weights alone: the settings and the vocabulary are those of the folder that --config names.

    \b
    Examples:
      gensight editor import timbrooks/instruct-pix2pix --out runs/ip2p
      gensight editor import insCV.ckpt --config FOLDER --out runs/instructcv
    """
    from gensight.verbs.editor import import_editor

    run = import_editor(source, out, overrides or [], config)
    typer.echo(f'run: {run}\nnext: gensight ask {run} IMAGES "segment the ..."')
