"""`gensight datasets`: list, check, write, convert."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from gensight.cli.option_groups import OptionGroup, takes_option_groups
from gensight.cli.options import out_option
from gensight.errors import counted

app = typer.Typer(help="List kinds of data sets, check, write or convert one.",
                  no_args_is_help=True)  # fmt: skip


@app.command("list")
def list_kinds() -> None:
    """List the kinds of data sets, and what each needs."""
    from gensight.verbs.data.datasets import data_kinds

    for kind in data_kinds():
        typer.echo(f"{kind.name:<11}  {kind.description}")
        for need in kind.needs:
            typer.echo(f"{'':<11}    {need}")


@app.command()
def check(
    target: Annotated[str, typer.Argument(metavar="KIND|RECIPE", help="A kind, or a recipe whose data to check.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="The keys of its data section: root=PATH after a kind, data.root=PATH after a recipe.",
        ),
    ] = None,
) -> None:
    """Look at every image and label of a data set.

    Prints what it holds and what is wrong with it; the exit code is 1 if anything is.

    \b
    Examples:
      gensight datasets check deeplabcut root=PROJECT
      gensight datasets check my-recipe.yaml
    """
    from gensight.verbs.data.datasets import check as run_check

    failed = False
    for name, summary in run_check(target, overrides or []).items():
        truths = f" with {', '.join(summary.truths)}" if summary.truths else ""
        counts = f"{counted(summary.num_samples, 'image')}, {counted(summary.num_instances, 'instance')}"
        typer.echo(f"{name}: {counts}{truths}")
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
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to write: puppets.")],
    out: Annotated[Path, out_option("An empty or new folder.")],
    format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="annotated (ours), ap10k, coco, davis, deeplabcut, gazefollow, goo, rgbd, spair, "
            "video-attention-target, videos (mp4 and boxes) or voc.",
        ),
    ] = "coco",
    num: Annotated[int, typer.Option(metavar="N", min=1, help="Number of images.")] = 100,
    size: Annotated[str, typer.Option(metavar="HxW", help="Height and width in pixels.")] = "128x128",
    subjects: Annotated[str, typer.Option(metavar="people|animals|all", help="Which subjects.")] = "people",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the scenes.")] = 0,
    frames: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="48 for videos, 8 for davis and rgbd, else 1",
            help="Images that show one scene in motion.",
        ),
    ] = None,
    style: Annotated[
        str, typer.Option(metavar="clean|full", help="Scenes as the packaged backbone knows them, or harder ones.")
    ] = "full",
) -> None:
    """Write the built-in data set in a format that other tools read.

    \b
    Examples:
      gensight datasets write puppets --format coco --out puppets-coco --num 500
      gensight datasets write puppets --format davis --out puppets-davis --num 160
      gensight datasets write puppets --format videos --style clean --num 96 --out clips
    """
    from gensight.verbs.data.datasets import write as run_write

    folder = run_write(kind, out, format=format, num_samples=num, size=size, subjects=subjects, seed=seed,
                       num_frames=frames, style=style)  # fmt: skip
    typer.echo(f"wrote {num} images to {folder}")
    if format == "videos":
        typer.echo(f"next: gensight predict RUN {folder / 'scene-0000.mp4'}")
    elif format in ("coco", "deeplabcut"):
        typer.echo(f"next: gensight init {folder}")
    else:
        typer.echo(f"next: gensight datasets check {format} root={folder}")


@app.command("pickle-to-json")
def pickle_to_json(
    source: Annotated[Path, typer.Argument(metavar="PICKLE", help="A file of GOO's annotations.")],
    out: Annotated[Path | None, out_option("By default beside it, with the suffix .json.", "FILE")] = None,
) -> None:
    """Turn a pickle of GOO's annotations into json, without running anything that it names.

    \b
    Example:
      gensight datasets pickle-to-json GOO/testrealhumansNew.pickle
    """
    from gensight.verbs.data.datasets import pickle_to_json as run_convert

    target, count = run_convert(source, out)
    typer.echo(f"wrote {count} records to {target}")


@app.command("voc-to-coco")
def voc_to_coco(
    root: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds JPEGImages, like VOCdevkit/VOC2012.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="instances_PART.json in the folder", help="The json file."),
    ] = None,
    part: Annotated[str, typer.Option(metavar="NAME", help="The list: train, val, trainval ...")] = "trainval",
    task: Annotated[
        str, typer.Option(metavar="Main|Segmentation", help="Whose lists: of all images, or with masks.")
    ] = "Main",
    difficult: Annotated[
        str, typer.Option(metavar="keep|ignore|drop", help="Difficult objects; ignore: as crowds.")
    ] = "keep",
) -> None:
    """Write a list of PASCAL VOC as one COCO json, masks included.

    Images stay where they are, in JPEGImages.

    \b
    Example:
      gensight datasets voc-to-coco VOCdevkit/VOC2012 --part val
    """
    from gensight.verbs.data.datasets import voc_to_coco as run_convert

    target, num_images, num_objects = run_convert(root, out, part, task, difficult)
    typer.echo(f"wrote {num_images} images and {num_objects} objects to {target}")


@dataclass(frozen=True)
class PoolOptions(OptionGroup):
    """What a pool of instructions holds."""

    tasks: Annotated[str, typer.Option(metavar="A,B", help="The tasks; colour, derain, low-light and denoise too.")] = (
        "segment,detect,depth,classify"
    )
    size: Annotated[int, typer.Option(metavar="PX", help="Longer side of the pictures.")] = 256
    phrasing: Annotated[str, typer.Option(metavar="fixed|rephrased", help="Wording of instructions.")] = "rephrased"
    negatives: Annotated[int, typer.Option(min=0, help="Absent classes queried per image and task.")] = 1
    several: Annotated[
        float, typer.Option(min=0, max=1, help="Share of images queried for several classes at once.")
    ] = 0.2
    depth_scale: Annotated[str, typer.Option(metavar="log|linear", help="How depth is painted.")] = "log"
    far: Annotated[float, typer.Option(metavar="METRES", help="Farthest depth that grey represents.")] = 10.0
    boxes: Annotated[str, typer.Option(metavar="filled|outlines", help="How boxes are painted.")] = "filled"
    outline: Annotated[str, typer.Option(metavar="COLOUR,PX", help="Outlines' colour and width.")] = "white,2"
    box_region: Annotated[
        str,
        typer.Option(
            metavar="box|head|auto",
            help="What is detected: whole objects, heads, or (auto) heads of data sets that mark nothing else.",
        ),
    ] = "box"
    limit: Annotated[int | None, typer.Option(min=1, show_default="all", help="Images of each part.")] = None
    images_per_shard: Annotated[int, typer.Option(min=0, help="Write tar shards for clusters; 0: plain folders.")] = 0
    seed: Annotated[int, typer.Option(metavar="N", help="Of phrases and negatives.")] = 0


@app.command("build-instruct")
@takes_option_groups
def build_instruct(
    sources: Annotated[
        list[str], typer.Option("--from", metavar="'KIND KEY=VALUE ...'", help="A data set; may be repeated.")
    ],
    out: Annotated[Path, out_option("A new folder, or one to resume.")],
    pool: PoolOptions,
) -> None:
    """Pool data sets into pictures, instructions and painted answers.

    Official parts are kept, and an interrupted build is resumed.

    \b
    Examples:
      gensight datasets build-instruct --from "pets root=PETS" --from "ade20k root=ADEChallengeData2016" --out pool
    """
    from gensight.verbs.data.build_instruct import build_instruct as run_build
    from gensight.verbs.data.pool_pairs import Settings

    choices = asdict(pool) | {"tasks": [task.strip() for task in pool.tasks.split(",")]}
    built = run_build(out, Settings.checked(sources=tuple(sources), box_style=choices.pop("boxes"), **choices))
    for part, counts in built.parts.items():
        left_out = f" ({counts['left_out']} left out: no task applies to them)" if counts["left_out"] else ""
        made = f"{counted(counts['images'], 'image')}, {counted(counts['pairs'], 'pair')}"
        typer.echo(f"{part}: {made}{left_out}")
    if built.heads:
        typer.echo(f"boxes are those of heads: {', '.join(built.heads)}")
    typer.echo(f"look at {out}/contact_sheet_train.png")


@app.command()
def paraphrase(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a transformers model that generates text.")],
    out: Annotated[Path, out_option("A new file.", "FILE")] = Path("templates.json"),
    tasks: Annotated[
        str, typer.Option(metavar="A,B", help="Whose instructions.")
    ] = "segment,detect,depth,classify,keypoints,edges",
    times: Annotated[int, typer.Option(min=1, help="How often each template is rephrased.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Of sampling.")] = 0,
) -> None:
    """Have a language model rephrase the instructions, for training.

    Look through the file and take out what is wrong; then train with method.templates=FILE. What is kept for testing
    is not shown to the model.

    \b
    Examples:
      gensight datasets paraphrase Qwen2.5-1.5B-Instruct/ --out templates.json
      gensight train instruct-puppets-one-step data.root=pool method.templates=templates.json
    """
    from gensight.verbs.data.paraphrase import paraphrase as run_paraphrase

    counts = run_paraphrase(model, out, [task.strip() for task in tasks.split(",")], times, seed)
    typer.echo(f"wrote {', '.join(f'{count} of {task}' for task, count in counts.items())} to {out}")
    typer.echo(f"look through them, then: gensight train RECIPE method.templates={out}")
