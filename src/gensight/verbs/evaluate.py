"""`gensight evaluate`: scores of a run and its baselines, paired differences, predictions, pictures and the report."""

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gensight.assembly.experiment import Experiment
from gensight.assembly.metrics import build_metrics
from gensight.engine.card import Card
from gensight.engine.run_folder import RunFolder
from gensight.files.atomic import write_json
from gensight.files.progress import Announce, progress, silent
from gensight.loading.cases import Cases
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import paired_difference
from gensight.prediction.baselines.instruct import reworded
from gensight.prediction.scoring.coco import CocoScoring
from gensight.prediction.scoring.detected_boxes import Answers as AnswerItems
from gensight.prediction.scoring.detected_boxes import read_test_detections, score_detected
from gensight.prediction.scoring.earlier import with_earlier_scores
from gensight.prediction.scoring.records import record
from gensight.prediction.sources import Boxes
from gensight.prediction.trained_run import TrainedRun
from gensight.report import write_report
from gensight.samples import Item, Prediction
from gensight.studies.trained_baselines import baseline_config, baseline_folder, untrained_answer
from gensight.verbs.run_changes import open_changed

Answers = Iterator[tuple[Prediction, Item]]
Keep = Callable[[Prediction, Item], None]


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """One model's scores on the test part, and what it cost; `card` is None for a baseline that is not trained."""

    model: str
    results: list[Result]
    seconds: float
    num_items: int
    card: Card | None = None

    def cost(self) -> dict[str, Any]:
        """As metrics.json has it."""
        speed = {"images_per_second": self.num_items / max(self.seconds, 1e-9)}
        if self.card is None:
            return speed
        return {
            **speed,
            "parameters_trained": self.card.num_parameters_trained,
            "training_minutes": self.card.training_minutes,
            "hardware": self.card.hardware,
        }


def evaluate(
    run: Path,
    checkpoint: str = "best",
    device: str = "auto",
    baselines: bool = True,
    detections: Path | None = None,
    experiment: Experiment | None = None,
    overrides: Iterable[str] = (),
    announce: Announce = silent,
) -> list[ScoredModel]:
    """Scores a finished run on its test part and writes metrics.json, predictions.json, pictures and report.html.

    On COCO data also coco_results.json, which COCO's own evaluation code takes.

    Args:
        run: A run folder.
        checkpoint: `best` (by validation) or `last`.
        device: `auto`, `cpu`, `cuda` ...
        baselines: Whether to score the recipe's baselines beside it, those that have been trained.
        detections: A detections file: `coco-oks` is then scored on these boxes too.
        experiment: The run's, where its data is open already.
        overrides: Where the data lie now, and what else is scored; see `open_changed`.
        announce: Called with what could not be scored.

    Returns:
        The run's scores, then the baselines'.
    """
    folder = RunFolder(Path(run))
    if overrides := list(overrides):
        experiment = open_changed(folder, overrides)
    trained = TrainedRun.load(folder.root, device, checkpoint)
    opened = Experiment.open(trained.config) if experiment is None else experiment.with_config(trained.config)
    experiment = opened.calibrated(trained.calibration)
    cases = experiment.test_cases()
    boxes = None if detections is None else read_test_detections(Path(detections), experiment)
    entries: list[dict[str, Any]] = []
    results = CocoScoring.of(experiment.splits.test)

    def keep(prediction: Prediction, item: Item) -> None:
        entries.append(record(prediction, item, experiment.encoding, experiment.skeleton, folder.pictures))
        if results is not None:
            results.add(prediction)

    scorer = _Scorer(experiment, cases, boxes)
    scored = [scorer.run(trained.config.method.kind, trained, keep)]
    for baseline in experiment.config.baselines if baselines else ():
        other = scorer.baseline(baseline, trained, device, checkpoint)
        scored += [] if other is None else [other]
        if other is None and baseline_config(experiment.config, baseline) is not None:
            announce(f"{baseline} has not been trained: gensight train {folder.root} trains and scores it")
    write_json(folder.metrics, with_earlier_scores(_metrics(scored), folder.metrics), indent=1)
    write_json(folder.predictions, {"skeleton": msgspec.to_builtins(experiment.skeleton), "items": entries})
    if results is not None:
        results.write(folder.root)
    write_report([folder.root], folder.report)
    return scored


def _ignore(prediction: Prediction, item: Item) -> None:
    pass


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Scores models on the test cases, and on detected boxes where there are some."""

    experiment: Experiment
    cases: Cases
    boxes: Boxes | None

    def score(
        self, name: str, answers: Answers, of_items: AnswerItems, keep: Keep = _ignore, card: Card | None = None
    ) -> ScoredModel:
        """Scores the answers to the cases; `of_items` answers others."""
        metrics = build_metrics(self.experiment.config, self.experiment.skeleton)
        seconds, begun = 0.0, time.perf_counter()
        for prediction, item in progress(answers, len(self.cases), f"evaluate {name}", "items"):
            seconds += time.perf_counter() - begun
            for metric in metrics:
                metric.update(prediction, item)
            keep(prediction, item)
            begun = time.perf_counter()
        results = [result for metric in metrics for result in metric.compute()]
        if self.boxes is not None:
            results.append(score_detected(name, of_items, self.experiment, self.boxes))
        return ScoredModel(name, results, seconds, len(self.cases), card)

    def run(self, name: str, trained: TrainedRun, keep: Keep = _ignore) -> ScoredModel:
        answers = trained.predictor.each(self.cases, trained.config.evaluation.batch_size)
        return self.score(name, answers, trained.predict_items, keep, trained.folder.read_card())

    def baseline(self, name: str, run: TrainedRun, device: str, checkpoint: str) -> ScoredModel | None:
        """A baseline of a run; None for one that was not trained."""
        if (other_words := reworded(name, self.cases)) is not None:
            answers = run.predictor.each(other_words, self.experiment.config.evaluation.batch_size)
            return self.score(name, answers, run.predict_items)
        if (answer := untrained_answer(name, self.experiment, device)) is not None:
            items = map(self.cases.item, range(len(self.cases)))
            return self.score(name, ((answer(item), item) for item in items), lambda some: [*map(answer, some)])
        place = baseline_folder(run.folder, name)
        return self.run(name, TrainedRun.load(place.root, device, checkpoint)) if place.finished else None


def _metrics(scored: list[ScoredModel]) -> dict[str, Any]:
    model = scored[0]
    differences = [
        {"model": model.model, "baseline": other.model, **paired_difference(own, against).to_json()}
        for other in scored[1:]
        for own, against in zip(model.results, other.results, strict=True)
    ]
    return {
        "split": "test",
        "scores": [
            {"model": s.model, "results": [result.to_json() for result in s.results], "cost": s.cost()} for s in scored
        ],
        "differences": differences,
        "cost": {**model.cost(), "peak_memory_bytes": _peak_memory()},
    }


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
