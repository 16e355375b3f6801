"""`gensight evaluate`: scores of a run and its baselines, paired differences, predictions, pictures and the report."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gensight.config.schema import RunConfig
from gensight.engine.experiment import Experiment
from gensight.engine.run_folder import RunFolder
from gensight.files.atomic import write_json
from gensight.files.hashing import value_hash
from gensight.files.images import write_image
from gensight.files.progress import progress
from gensight.loading.cases import Cases
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import paired_difference
from gensight.metrics.tables import build_metrics
from gensight.prediction.baselines import MeanPosition
from gensight.prediction.trained_run import TrainedRun, skeleton_card
from gensight.report import scores_table_text, write_report
from gensight.samples import Item, Prediction
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import convert_keypoints
from gensight.verbs.baselines import baseline_folder

PICTURE_SIDE = 512  # longest side of the copies kept for drawing
Answers = Iterator[tuple[Prediction, Item]]


@dataclass(frozen=True, eq=False)
class Scored:
    """One model's scores on the test part, and what it cost; `card` is None for a baseline that is not trained."""

    model: str
    results: list[Result]
    seconds: float
    answers: list[tuple[Prediction, Item]]
    card: dict[str, Any] | None = None

    def cost(self) -> dict[str, Any]:
        """As metrics.json has it."""
        speed = {"images_per_second": len(self.answers) / self.seconds}
        if self.card is None:
            return speed
        return {
            **speed,
            "parameters_trained": self.card["num_parameters_trained"],
            "training_minutes": self.card["training_minutes"],
            "hardware": self.card["hardware"],
        }


def evaluate(run: Path, checkpoint: str = "best", device: str = "auto", baselines: bool = True) -> list[Scored]:
    """Scores a finished run on its test part and writes metrics.json, predictions.json, pictures and report.html.

    Args:
        run: A run folder.
        checkpoint: `best` (by validation) or `last`.
        device: `auto`, `cpu`, `cuda` ...
        baselines: Whether to score the recipe's baselines beside it, those that have been trained.

    Returns:
        The run's scores, then the baselines'.
    """
    folder = RunFolder(Path(run))
    trained = TrainedRun.load(folder.root, device, checkpoint)
    experiment = Experiment.open(trained.config, trained.calibration)
    cases = experiment.test_cases()
    scored = [_score_run(trained.config.method.kind, trained, cases)]
    if baselines:
        scored += _score_baselines(folder, experiment, cases, device, checkpoint)
    write_json(folder.metrics, _metrics(scored), indent=1)
    _write_predictions(folder, experiment, scored[0])
    write_report([folder.root], folder.report)
    print(scores_table_text(json.loads(folder.metrics.read_text(encoding="utf-8"))))
    print(f"report: {folder.report}")
    return scored


def _score_run(name: str, trained: TrainedRun, cases: Cases) -> Scored:
    config = trained.config.evaluation
    answers = trained.predictor.each(cases, config.batch_size)
    scored = _score(name, answers, len(cases), trained.config, trained.skeleton)
    return replace(scored, card=trained.folder.read_card())


def _score_baselines(
    folder: RunFolder, experiment: Experiment, cases: Cases, device: str, checkpoint: str
) -> list[Scored]:
    scored = []
    for baseline in experiment.config.evaluation.baselines:
        if baseline == "mean-position":
            answer = MeanPosition(experiment.plain_training_cases(), experiment.skeleton)
            answers = ((answer(item), item) for item in (cases.item(index) for index in range(len(cases))))
            scored.append(_score(baseline, answers, len(cases), experiment.config, experiment.skeleton))
            continue
        place = baseline_folder(folder, baseline)
        if place.finished:
            scored.append(_score_run(baseline, TrainedRun.load(place.root, device, checkpoint), cases))
    return scored


def _score(name: str, answers: Answers, count: int, config: RunConfig, skeleton: Skeleton) -> Scored:
    metrics = build_metrics(config.evaluation.protocols, skeleton)
    begun = time.perf_counter()
    kept = []
    for prediction, item in progress(answers, count, f"evaluate {name}"):
        for metric in metrics:
            metric.update(prediction, item)
        kept.append((prediction, item))
    seconds = time.perf_counter() - begun
    return Scored(name, [metric.compute() for metric in metrics], seconds, kept)


def _metrics(scored: list[Scored]) -> dict[str, Any]:
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


def _write_predictions(folder: RunFolder, experiment: Experiment, scored: Scored) -> None:
    entries = []
    for prediction, item in scored.answers:
        name = f"{value_hash(item.sample.key)[:16]}.jpg"
        _write_picture(folder.pictures / name, item)
        entries.append(_entry(prediction, item, experiment, f"pictures/{name}"))
    write_json(folder.predictions, {"skeleton": skeleton_card(experiment.skeleton), "items": entries})


def _write_picture(path: Path, item: Item) -> None:
    if path.is_file():
        return
    image = item.sample.image()
    shrink = PICTURE_SIDE / max(image.shape[:2])
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)


def _entry(prediction: Prediction, item: Item, experiment: Experiment, image: str) -> dict[str, Any]:
    subject, instance = item.subject, prediction.instances[0]
    assert subject is not None and subject.keypoints is not None and instance.keypoints is not None  # keypoint items
    truth = convert_keypoints(subject.keypoints, experiment.skeleton)
    answer = instance.keypoints
    distances = np.linalg.norm(answer.points - truth.points, axis=-1)
    return {
        "sample_key": item.sample.key,
        "item_key": item.key,
        "image": image,
        "size": list(item.sample.size),
        "instances": [
            {
                "category": instance.category,
                "confidence": instance.confidence,
                "box": _listed(instance.box),
                "keypoints": [[*_listed(p), float(c)] for p, c in zip(answer.points, answer.confidence, strict=True)],
            }
        ],
        "truth": [
            {
                "keypoints": [[*_listed(p), int(v)] for p, v in zip(truth.points, truth.visibility, strict=True)],
                "box": _listed(subject.box),
            }
        ],
        "error_px": [float(d) if known else None for d, known in zip(distances, truth.located, strict=True)],
    }


def _listed(values: Any) -> Any:
    """Plain floats; None for an unknown box, and None in place of NaN."""
    return None if values is None else [float(v) if np.isfinite(v) else None for v in values]
