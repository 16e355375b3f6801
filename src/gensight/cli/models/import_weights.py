"""`gensight import-weights`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Overrides, out_option


def import_weights(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Who published it: readout-guidance.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published .pt file.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, out_option("By default runs/NAME of FILE.")] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="ID_OR_FOLDER", help="Its backbone; by default what FILE names.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="keypoints, pose, edges, depth, correspondence or appearance; by default inferred from FILE.",
        ),
    ] = None,
) -> None:
    """Make a run of a head that others have published.

    FILE is read as data: code in it is refused. The run can be loaded, applied, scored and guided with as one's own.

    \b
    Examples:
      gensight import-weights readout-guidance readout_sdv15_spatial_depth.pt --out runs/depth
      gensight import-weights readout-guidance pose.pt --out runs/pose data.kind=coco data.root=COCO
    """
    from gensight.verbs.import_weights import import_weights as run_import

    run = run_import(source, file, out or Path("runs") / file.stem, backbone, head, overrides or [])
    typer.echo(f"run: {run}\nnext: gensight predict {run} IMAGES_OR_VIDEO")
