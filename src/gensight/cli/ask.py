"""`gensight ask`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gensight.cli import checks
from gensight.cli.options import Device, Draw, Images, Run, out_option
from gensight.cli.predict import report
from gensight.files.progress import loading


def of_run(help: str, **options: Any) -> Any:
    """An option whose default is the run's."""
    return typer.Option(show_default="the run's", help=help, **options)


def ask(
    run: Run,
    source: Images,
    instruction: Annotated[str, typer.Argument(metavar="INSTRUCTION", help='What to do, such as "segment the cat".')],
    out: Annotated[Path | None, out_option("By default a folder for each instruction in RUN/predict/INPUT.")] = None,
    device: Device = "auto",
    draw: Draw = True,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="by the words",
            help="How answers are decoded: segment, detect, depth, classify, keypoints, edges, colour ...",
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B", show_default="those named", help="Classes of the instruction.")
    ] = None,
    sampler: Annotated[
        str | None, of_run("Of many-step runs, as all that follows.", metavar="ddim|euler|euler-ancestral")
    ] = None,
    steps: Annotated[int | None, of_run("Sampling steps.", min=1)] = None,
    text_guidance: Annotated[float | None, of_run("Weight of the words.", min=0)] = None,
    image_guidance: Annotated[float | None, of_run("Weight of the image.", min=0)] = None,
    num_samples: Annotated[
        int | None, of_run("Samples of an answer: their mean, or the one nearest to the others.", min=1)
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", show_default="0", help="Of the noise.")] = None,
) -> None:
    """Follow an instruction on images or a video.

    RUN is an instruction-following run. Answers are written as answers.json, with masks and depth as PNG; pictures, or
    an mp4, show the answers.

    \b
    Example:
      gensight ask runs/instruct-puppets IMAGES "segment the dog"
    """
    checks.check_device(device)
    checks.check_inputs(source)
    checks.check_runs([run])
    with loading():
        from gensight.diffusion.sampling import Sampling, find_sampler
        from gensight.verbs.ask import ask as run_ask

    known = None if sampler is None else find_sampler(sampler)
    sampling = Sampling(known, steps, text_guidance, image_guidance, num_samples, seed)
    names = () if classes is None else tuple(name.strip() for name in classes.split(","))
    result = run_ask(
        run, source, instruction, out, task=task, classes=names, sampling=sampling if sampling.chosen else None,
        device=device, draw=draw,
    )  # fmt: skip
    typer.echo(result.note)
    report(result.outcome)
