"""`gensight ask`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.options import Device, Draw, Images, Run

SAMPLERS = "ddim|euler|euler-ancestral"
Instruction = Annotated[
    str, typer.Argument(metavar="INSTRUCTION", show_default=False, help='What to do, such as "segment the cat".')
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        show_default=False,
        help="By default a folder for each instruction in RUN/predict/INPUT.",
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="NAME",
        show_default="by the words",
        help="How answers are decoded: segment, detect, depth, classify, keypoints or edges.",
    ),
]
Classes = Annotated[
    str | None,
    typer.Option("--classes", metavar="A,B", show_default="those named", help="Classes of the instruction."),
]
Sampler = Annotated[
    str | None,
    typer.Option(
        "--sampler", metavar=SAMPLERS, show_default="the run's", help="Of many-step runs, as all that follows."
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, show_default="the run's", help="Sampling steps.")]
TextGuidance = Annotated[
    float | None, typer.Option("--text-guidance", min=0, show_default="the run's", help="Weight of the words.")
]
ImageGuidance = Annotated[
    float | None, typer.Option("--image-guidance", min=0, show_default="the run's", help="Weight of the image.")
]
NumSamples = Annotated[
    int | None,
    typer.Option(
        "--num-samples",
        min=1,
        show_default="the run's",
        help="Samples of an answer: their mean, or the one nearest to the others.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", show_default="0", help="Of the noise.")]


def ask(
    run: Run,
    source: Images,
    instruction: Instruction,
    out: Out = None,
    device: Device = "auto",
    draw: Draw = True,
    task: Task = None,
    classes: Classes = None,
    sampler: Sampler = None,
    steps: Steps = None,
    text_guidance: TextGuidance = None,
    image_guidance: ImageGuidance = None,
    num_samples: NumSamples = None,
    seed: Seed = None,
) -> None:
    """Follow an instruction on images or a video.

    RUN is an instruction-following run. Answers are written as answers.json, with masks and depth as PNG; pictures, or
    an mp4, show the answers.

    \b
    Example:
      gensight ask runs/instruct-puppets IMAGES "segment the dog"
    """
    from gensight.diffusion.sampling import Sampling, find_sampler
    from gensight.verbs.ask import ask as run_ask

    known = None if sampler is None else find_sampler(sampler)
    options = (known, steps, text_guidance, image_guidance, num_samples, seed)
    result = run_ask(
        run,
        source,
        instruction,
        out,
        task=task,
        classes=() if classes is None else tuple(name.strip() for name in classes.split(",")),
        sampling=None if all(option is None for option in options) else Sampling(*options),
        device=device,
        draw=draw,
    )
    typer.echo(result.note)
    typer.echo(f"predictions: {result.folder}")
