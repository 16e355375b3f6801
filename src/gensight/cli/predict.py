"""`gensight predict`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Run


def predict(
    run: Run,
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", show_default=False, help="An image, a folder of images, or a video."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", show_default=False, help="By default RUN/predict/INPUT."),
    ] = None,
    device: Device = "auto",
    draw: Annotated[
        bool,
        typer.Option("--draw/--no-draw", help="Also write the images, or the video, with what was found drawn in."),
    ] = True,
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            metavar="FILE",
            show_default=False,
            help="Where the subjects are (COCO-results json), for runs that look at one box at a time.",
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="MODEL",
            show_default=False,
            help="Finds the people first: `detect`, or a detection model's hub id or folder; instead of --boxes. "
            "For gaze also a keypoint run's folder, which finds one head in each image, weakly: look at the overlays.",
        ),
    ] = None,
    detector_threshold: Annotated[
        float, typer.Option("--detector-threshold", min=0, max=1, help="Least score of a detection.")
    ] = 0.5,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", metavar="TEXT", show_default=False, help="What to do, for runs told in words."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="segment|detect|depth|classify",
            show_default="by the words",
            help="How the answer to an instruction is read.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B", show_default="those named", help="Classes that are asked for."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, show_default="the run's", help="Sampling steps of an answer.")
    ] = None,
    text_guidance: Annotated[
        float | None, typer.Option("--text-guidance", min=0, show_default="the run's", help="Weight of the words.")
    ] = None,
    image_guidance: Annotated[
        float | None, typer.Option("--image-guidance", min=0, show_default="the run's", help="Weight of the image.")
    ] = None,
    num_draws: Annotated[
        int | None, typer.Option("--num-draws", min=1, show_default="the run's", help="Draws that are averaged.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the noise of answers.")] = 0,
    smooth: Annotated[
        int, typer.Option("--smooth", metavar="FRAMES", min=1, help="Average gaze over so many frames of a video.")
    ] = 1,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            "--also",
            metavar="RUN",
            show_default=False,
            help="A further run (repeat the option for more): runs on one backbone share its pass.",
        ),
    ] = None,
) -> None:
    """Find what a run was trained for in images or a video.

    Keypoints are written as COCO-results json and a DeepLabCut-style csv, depth and edges as PNG; pictures, or an mp4,
    have them drawn in.

    \b
    Example:
      gensight predict runs/openfield-mouse VIDEO.mp4 --out mouse-video
      gensight predict runs/told IMAGES --instruction "segment the dog"
    """
    if instruction is not None:
        from gensight.verbs.predict_instruct import Question, predict_instruct

        chosen = tuple(name.strip() for name in classes.split(",")) if classes else ()
        question = Question(instruction, task, chosen, steps, text_guidance, image_guidance, num_draws, seed)
        folder = predict_instruct(run, source, question, out, device=device, draw=draw)
        typer.echo(f"predictions: {folder}")
        return

    from gensight.verbs.predict import predict as run_predict

    folder = run_predict(
        run,
        source,
        out,
        device=device,
        draw=draw,
        boxes=boxes,
        also=also or (),
        detector=detector,
        detector_threshold=detector_threshold,
        smooth=smooth,
    )
    typer.echo(f"predictions: {folder}")
