"""`gensight predict`."""

from collections.abc import Mapping
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
        typer.Option(
            "--out",
            metavar="FOLDER",
            show_default=False,
            help="By default RUN/predict/INPUT; of an instruction, a folder in it for each question.",
        ),
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
        float | None,
        typer.Option(
            "--detector-threshold", min=0, max=1, show_default=False, help="Least score of a detection; else 0.5."
        ),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", metavar="TEXT", show_default=False, help="What to do, for runs told in words."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="NAME",
            show_default="by the words",
            help="How the answer to an instruction is read: segment, detect, depth, classify, keypoints or edges.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B", show_default="those named", help="Classes that are asked for."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            "--sampler",
            metavar="ddim|euler|euler-ancestral|ancestral|dpm-solver++",
            show_default="the run's",
            help="How an answer is sampled, of runs in many steps.",
        ),
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
        int | None,
        typer.Option(
            "--num-draws",
            min=1,
            show_default="the run's",
            help="Samples of an answer: their mean, or the one nearest to the others.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", show_default=False, help="Of the noise of answers; else 0.")
    ] = None,
    smooth: Annotated[
        int | None,
        typer.Option(
            "--smooth",
            metavar="FRAMES",
            min=1,
            show_default=False,
            help="Average gaze over so many frames of a video.",
        ),
    ] = None,
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
    in_words = {
        "--task": task, "--classes": classes, "--sampler": sampler, "--steps": steps, "--text-guidance": text_guidance,
        "--image-guidance": image_guidance, "--num-draws": num_draws, "--seed": seed,
    }  # fmt: skip
    of_others = {
        "--boxes": boxes, "--detector": detector, "--detector-threshold": detector_threshold, "--smooth": smooth,
        "--also": also or None,
    }  # fmt: skip
    if instruction is not None:
        _refuse(of_others, "runs that take no instruction", "leave --instruction out")
        from gensight.diffusion.sampling import Sampling
        from gensight.verbs.predict_instruct import Question, predict_instruct

        chosen = () if classes is None else tuple(name.strip() for name in classes.split(","))
        sampling = Sampling(sampler, steps, text_guidance, image_guidance, num_draws, seed)  # type: ignore[arg-type]
        question = Question(instruction, task, chosen, sampling)
        folder = predict_instruct(run, source, question, out, device=device, draw=draw)
        typer.echo(f"predictions: {folder}")
        return

    _refuse(in_words, "--instruction, for runs told in words", 'say what to do: --instruction "segment the cat"')
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
        detector_threshold=0.5 if detector_threshold is None else detector_threshold,
        smooth=1 if smooth is None else smooth,
    )
    typer.echo(f"predictions: {folder}")


def _refuse(options: Mapping[str, object], what: str, hint: str) -> None:
    """ConfigError where one of these options was given."""
    names = [name for name, value in options.items() if value is not None]
    if names:
        from gensight.errors import ConfigError

        given, verb = ", ".join(names), "goes" if len(names) == 1 else "go"
        raise ConfigError(f"{given} {verb} with {what}", where="gensight predict", hint=f"{hint}, or leave {given} out")
