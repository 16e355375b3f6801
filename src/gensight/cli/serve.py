"""`gensight serve`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Device
from gensight.files.progress import loading
from gensight.web.ports import free_port


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The folders of trained runs.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 7860,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Address to listen on; 0.0.0.0 lets in other machines that know the printed token."
        ),
    ] = "127.0.0.1",
    max_pixels: Annotated[int, typer.Option(min=1, help="Of an uploaded image.")] = 40_000_000,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="Of an uploaded file.")] = 20.0,
    max_frames: Annotated[int, typer.Option(min=1, help="Of an uploaded video.")] = 3000,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Images to offer, and perhaps their boxes.json; by default images of each run's test part.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Apply trained runs to images and videos on a web page.

    Upload an image or a video or take a picture with the webcam, draw boxes on it or type an instruction where the run
    takes one, see on the image what was found, and download it. The page works offline and sends nothing anywhere.
    Needs the extra `serve`.

    \b
    Example:
      gensight serve runs/demo runs/openfield-mouse --port 8000
    """
    checks.check_device(device)
    checks.check_inputs(examples)
    free_port(host, port)
    checks.check_runs(runs)
    with loading():
        from gensight.web.server import running_page
        from gensight.web.server import serve as run_serve
        from gensight.web.uploads import Limits

    run_serve(running_page(runs, host, port, Limits(max_pixels, max_megabytes, max_frames), device, examples))
