"""`gensight annotate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gensight.cli.option_groups import OptionGroup, takes_option_groups
from gensight.cli.options import Device, out_option

if TYPE_CHECKING:
    from gensight.verbs.data.annotate import AnnotationResult


@dataclass(frozen=True)
class EngineOptions(OptionGroup):
    """Where the batches run."""

    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Label only the I-th of N parts; the last makes the data set.")
    ] = "1/1"
    engine: Annotated[str, typer.Option(metavar="local|ray", help="What runs the batches.")] = "local"
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Ray actors; by default one per CPU (or GPU).")
    ] = None
    gpus: Annotated[float, typer.Option(metavar="N", min=0, help="GPUs of each Ray actor.")] = 0
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running Ray cluster; by default RAY_ADDRESS.")
    ] = None
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images at once.")] = 8
    device: Device = "auto"


@dataclass(frozen=True)
class FrameOptions(OptionGroup):
    """Which images are labelled, and as what."""

    frames: Annotated[bool, typer.Option("--frames", help="The images of each folder are the frames of one video.")] = (
        False
    )
    step: Annotated[int, typer.Option(metavar="N", min=1, help="Take every N-th frame of a video.")] = 1


@takes_option_groups
def annotate(
    teacher: Annotated[
        str,
        typer.Argument(
            metavar="TEACHER",
            help="edges, tracks, variants[:BACKBONE], run:FOLDER; pose, depth, masks, detect or caption, each with "
            ":MODEL (a hub id or a folder) or without.",
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="An image, a folder of images, a video, a folder of videos, an annotated data set, or a kind of data "
            "set (`gensight datasets list`).",
        ),
    ],
    engine: EngineOptions,
    images: FrameOptions,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="After a kind of data set: root=PATH ...")
    ] = None,
    out: Annotated[Path | None, out_option("The data set; INPUT itself if that is annotated.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the teacher; repeatable.")
    ] = None,
    sheet: Annotated[
        str, typer.Option(metavar="spread|least-confident|none", help="What the contact sheet shows.")
    ] = "spread",
) -> None:
    """Label images or videos with a teacher model.

    Teachers add up: run the command once for each, with the same --out. An interrupted job resumes.

    \b
    Examples:
      gensight annotate tracks VIDEO.mp4 --out tracked
      gensight annotate detect PHOTOS --out people
      gensight annotate pose people
    """
    from gensight.verbs.data.annotate import annotate as run_annotate

    done = run_annotate(
        teacher, source, out, overrides=overrides or [], settings=_parse(settings or []), shard=engine.shard,
        engine=engine.engine, num_workers=engine.workers, num_gpus=engine.gpus, address=engine.address,
        batch_size=engine.batch_size, device=engine.device, frames=images.frames, step=images.step, sheet=sheet,
    )  # fmt: skip
    _report(done)


def _report(done: "AnnotationResult") -> None:
    outcome = done.outcome
    known = outcome.num_images - outcome.num_labelled
    typer.echo(f"labelled {outcome.num_labelled} images" + (f"; {known} were labelled already" if known else ""))
    for skipped in outcome.skipped[:3]:
        typer.echo(f"  skipped {skipped['key']}: {skipped['problem']}", err=True)
    if outcome.skipped:
        typer.echo(f"skipped {len(outcome.skipped)} images that can't be read", err=True)
    if outcome.num_stale:
        typer.echo(f"left out {outcome.num_stale} labels that were made from labels which have changed: "
                   "run their teachers again", err=True)  # fmt: skip
    if outcome.num_left:
        typer.echo(f"{outcome.num_left} images are left to other shards; the last one makes the data set")
        return
    typer.echo(f"data set: {outcome.folder}")
    if done.sheet is not None:
        typer.echo(f"look at it: {done.sheet}")


def _parse(texts: list[str]) -> dict[str, Any]:
    """`--set NAME=VALUE` options; values are YAML."""
    from gensight.config.loading.overrides import parse_overrides
    from gensight.errors import ConfigError

    parsed, problems = parse_overrides(texts)
    if problems:
        raise ConfigError(f"`{texts[0]}` is not a setting", where="--set", hint="write --set NAME=VALUE")
    return {".".join(one.path): one.value for one in parsed}
