"""`gensight evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from gensight.cli import checks
from gensight.cli.options import Checkpoint, Device
from gensight.errors import check_choice
from gensight.files.progress import loading


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a trained run; with --model also a recipe.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Of a run: where its data lie now (data.root=PATH), and what is scored besides what has been "
            "(evaluation.protocols=[coco-oks] evaluation.baselines=[scratch]). Of a recipe, with --model: any key.",
        ),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    baselines: Annotated[bool, typer.Option(help="Score the run's baselines beside it.")] = True,
    detections: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also score keypoints on these detected boxes (COCO-results json)."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="transformers:MODEL",
            help="Score a model's folder or hub id of the transformers library on the same test data (repeatable).",
        ),
    ] = None,
) -> None:
    """Score a run on its test data, beside its baselines.

    Scores of an earlier call stay: those of other protocols, and of baselines that are not scored again.

    Every score has its protocol's name and a 95 % interval. Writes metrics.json, predictions.json and report.html to
    the run folder. With --model: a specialist (classifier, segmenter, depth model, detector) on the same
    queries, by the same protocols, beside the run; or on a recipe's test data, without any run. Writes models.json.

    \b
    Examples:
      gensight evaluate runs/mouse data.root=NEW-PLACE
      gensight evaluate runs/demo --model transformers:PekingU/rtdetr_v2_r50vd
    """
    check_choice(checkpoint, ("best", "last"), "--checkpoint")
    checks.check_device(device)
    checks.check_inputs(detections)
    if model:
        from gensight.verbs.evaluate_models import evaluate_models

        evaluate_models(run, model, overrides or (), checkpoint, device, announce=typer.echo)
        return

    checks.check_runs([Path(run)])
    with loading():
        from gensight.verbs.evaluate import evaluate as run_evaluate
        from gensight.verbs.outcome import scores_text

    run_evaluate(
        Path(run), checkpoint=checkpoint, device=device, baselines=baselines, detections=detections,
        overrides=overrides or (), announce=typer.echo,
    )  # fmt: skip
    if text := scores_text(Path(run)):
        typer.echo(text)
