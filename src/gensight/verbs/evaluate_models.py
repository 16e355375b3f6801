"""`gensight evaluate RUN_OR_RECIPE --model transformers:FOLDER_OR_ID`: specialists on the same queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.assembly.devices import default_run_folder
from gensight.assembly.experiment import Experiment
from gensight.assembly.metrics import build_metrics
from gensight.config.loading.loader import load_recipe
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.atomic import write_json
from gensight.files.progress import Announce, progress, silent
from gensight.loading.cases import Cases
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import paired_difference
from gensight.metrics.classification import LabelScores
from gensight.metrics.per_query import PerQueryMetric
from gensight.prediction.trained_run import TrainedRun
from gensight.report import scores_table_text
from gensight.samples import Item, Prediction
from gensight.teachers.specialist import PREFIX, Specialist
from gensight.verbs.run_changes import open_changed

FILE_NAME = "models.json"
_AFFINE = "depth-affine"


@dataclass(frozen=True, eq=False)
class SpecialistScores:
    """A specialist's scores, the run's on the same items, and their paired differences.

    Attributes:
        model: The specialist's name.
        task: Its task.
        num_items: Number of queries.
        unknown: Queried classes that the specialist does not know: it never predicts them.
        results: Of the specialist.
        own: Of the run, in the same order; empty for a recipe that was not trained.
    """

    model: str
    task: str
    num_items: int
    unknown: tuple[str, ...]
    results: tuple[Result, ...]
    own: tuple[Result, ...]

    def to_json(self, run: str) -> dict[str, Any]:
        """As `models.json` has it."""
        models = {run: self.own, self.model: self.results} if self.own else {self.model: self.results}
        return {
            "task": self.task,
            "num_items": self.num_items,
            "unknown_classes": list(self.unknown),
            "scores": [{"model": name, "results": [one.to_json() for one in found]} for name, found in models.items()],
            "differences": [
                {"model": run, "baseline": self.model, **paired_difference(mine, other).to_json()}
                for mine, other in zip(self.own, self.results, strict=False)
            ],
        }


def evaluate_models(
    run_or_recipe: str,
    models: Sequence[str],
    overrides: Sequence[str] = (),
    checkpoint: str = "best",
    device: str = "auto",
    out: Path | None = None,
    announce: Announce = silent,
) -> list[SpecialistScores]:
    """Scores models of the transformers library on the test part of a run or a recipe.

    Each model answers the items of its task, and is scored by the recipe's protocols of that task; a run is
    scored anew on the same items. An affine depth model is scored by `depth-affine` alone.

    Args:
        run_or_recipe: A finished run's folder, or a recipe's name or path: data and protocols are its own.
        models: Each `transformers:FOLDER_OR_ID`.
        overrides: Changes to a recipe, such as `data.root=PATH`; of a run those that `open_changed` takes.
        checkpoint: Of a run, `best` or `last`.
        device: `auto`, `cpu`, `cuda` ...
        out: Folder that `models.json` is written to; None: the run's, or `runs/NAME-models`.
        announce: Called with the tables.

    Raises:
        ConfigError: A model answers no query of the recipe, or none of its classes.
        RunError: A model's or the run's files are missing or damaged.
    """
    run = RunFolder(Path(run_or_recipe))
    trained = None
    if run.config.is_file():
        if overrides:
            open_changed(run, overrides)
        trained = TrainedRun.load(run.root, device, checkpoint)
        experiment, folder = Experiment.open(trained.config, trained.calibration), run.root
    else:
        experiment = Experiment.open(load_recipe(run_or_recipe, overrides))
        config = experiment.config
        folder = default_run_folder(config).with_name(f"{config.name}-models")
    cases = experiment.test_cases()
    scored = [_score_model(Specialist(_source(model), device), trained, experiment, cases) for model in models]
    name = experiment.config.name
    entries = [one.to_json(name) for one in scored]
    path = (folder if out is None else Path(out)) / FILE_NAME
    write_json(path, {"recipe": name, "split": "test", "models": entries}, indent=1)
    for one in entries:
        announce(f"{one['task']}: {one['num_items']} queries")
        if one["unknown_classes"]:
            announce(f"  unknown to the model: {', '.join(one['unknown_classes'])}")
        announce(scores_table_text({**one, "split": "test", "cost": {}}))
    announce(f"scores: {path}")
    return scored


def _source(model: str) -> str:
    if not model.startswith(PREFIX) or model == PREFIX:
        hint = f"write {PREFIX}FOLDER, or {PREFIX}OWNER/NAME of the hub"
        raise ConfigError(f"`{model}` names no model", where="--model", hint=hint)
    return model.removeprefix(PREFIX)


def _score_model(
    specialist: Specialist, trained: TrainedRun | None, experiment: Experiment, cases: Cases
) -> SpecialistScores:
    items = [item for item in (cases.item(index) for index in range(len(cases))) if _has_task(item, specialist.task)]
    metrics = _metrics(experiment, specialist)
    if not items or not metrics:
        raise ConfigError(
            f"`{specialist.name}` answers `{specialist.task}`, and `{experiment.config.name}` "
            + ("has no query of that task" if not items else "has no protocol that can score it"),
            where="--model",
            hint=f"its protocols are {', '.join(experiment.config.protocols)}",
        )
    queried = tuple(dict.fromkeys(name for item in items if item.query for name in item.query.options))
    known = specialist.knows(queried)
    if queried and not known:
        raise ConfigError(
            f"`{specialist.name}` knows none of the queried classes", where="--model", choices=queried[:20]
        )
    answers = ((specialist(item), item) for item in items)
    results = _scored(answers, metrics, len(items), specialist.name)
    own: tuple[Result, ...] = ()
    if trained is not None:
        answered = zip(trained.predictor.answer_items(items), items, strict=True)
        own = _scored(answered, _metrics(experiment, specialist), len(items), "the run")
    unknown = tuple(name for name in queried if name not in known)
    return SpecialistScores(specialist.name, specialist.task, len(items), unknown, results, own)


def _has_task(item: Item, task: str) -> bool:
    if item.query is not None:
        return item.query.task == task
    return task == "depth" and item.sample.depth is not None


def _metrics(experiment: Experiment, specialist: Specialist) -> list[Metric]:
    """New metrics of the recipe's protocols for the specialist's task."""
    found = []
    for metric in build_metrics(experiment.config, experiment.skeleton):
        if isinstance(metric, PerQueryMetric):
            fits = specialist.task in metric.tasks
        elif isinstance(metric, LabelScores):
            fits = specialist.task == "classify"
        else:
            fits = specialist.task == "depth" and metric.protocol.startswith("depth")
        affine = specialist.task == "depth" and not specialist.metric_depth
        if fits and (not affine or metric.protocol.startswith(_AFFINE)):
            found.append(metric)
    return found


def _scored(
    answers: Iterable[tuple[Prediction, Item]], metrics: Sequence[Metric], count: int, model: str
) -> tuple[Result, ...]:
    for prediction, item in progress(answers, count, f"evaluate {model}", "items"):
        for metric in metrics:
            metric.update(prediction, item)
    return tuple(result for metric in metrics for result in metric.compute())
