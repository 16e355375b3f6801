"""What the parts of a training take here: each is run for a few items, as the training runs it."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import overload

import torch

from gensight.assembly.experiment import Experiment
from gensight.assembly.metrics import build_metrics
from gensight.assembly.training_settings import build_optimisation
from gensight.assembly.views import build_augmentation
from gensight.backbones.base import Backbone
from gensight.backbones.cache import FeatureCache, cached_features
from gensight.config.schema import TrainingConfig
from gensight.loading.cases import Cases
from gensight.loading.stream import Batches, CaseBatches
from gensight.methods.base import Method
from gensight.methods.loss import total_loss
from gensight.prediction.baselines.instruct import reworded
from gensight.prediction.baselines.untrained import untrained_baseline
from gensight.prediction.batch_predictor import BatchPredictor
from gensight.prediction.scoring.records import record
from gensight.prediction.scoring.validation import Validator
from gensight.samples import Item

MOST_STEPS, MOST_SECONDS = 4, 2.0  # of each measurement
MOST_ITEMS = 8  # of validation, scoring and feature cache
FEW_ITEMS = 500  # training items; of more, baselines that read them all are not tried


@dataclass(frozen=True)
class Costs:
    """Seconds.

    Attributes:
        opening: Once: data and networks.
        reading: Once per training item, or cached view of one: its image, or its features.
        step: One batch, from its images or cached features to new weights.
        view: Caching the features of one view; None without a cache.
        checked: One validation item.
        scored: One test item: prediction and metrics; `kept`: its picture and record.
        baselines: One test item of each baseline that needs no training.
        stages: All steps of the trainings that come first.
    """

    opening: float = 0.0
    reading: float = 0.0
    step: float = 0.0
    view: float | None = None
    checked: float = 0.0
    scored: float = 0.0
    kept: float = 0.0
    baselines: dict[str, float] = field(default_factory=dict)
    stages: float = 0.0


def cached_views(experiment: Experiment) -> int:
    """Views of each training item that are cached."""
    return experiment.config.cache.views if build_augmentation(experiment.config.view.augment) is not None else 1


class Costing:
    """Measures a recipe's parts.

    Args:
        experiment: The recipe.
        method: With random or loaded weights.
        backbone: The method's.
        device: Where.
        scores: Whether validation and scores are measured, too.

    Attributes:
        training, validation, test: The cases; None without such a part, or where it isn't measured.
    """

    def __init__(self, experiment: Experiment, method: Method, backbone: Backbone, device: str, scores: bool) -> None:
        self.experiment, self.backbone, self.device, self.method = experiment, backbone, device, method.to(device)
        cached = experiment.config.caches_features
        self.training = experiment.training_cases(cached_views(experiment) if cached else 0)
        self.validation = experiment.validation_cases() if scores else None
        scored = scores and experiment.splits.test is not None and bool(experiment.config.protocols)
        self.test = experiment.test_cases() if scored else None

    def measure(self, opening: float) -> Costs:
        """All costs; `opening` is the one of data and networks."""
        stages = sum(
            stage.steps * time_steps(stage.method.to(self.device), stage.batches, self.device)
            for stage in self.method.stages()
        )
        with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
            validation = None if self.validation is None else _some(self.validation)
            if self.experiment.config.caches_features:
                cache = FeatureCache(Path(folder) / "cache", self.backbone)
                costs = self._with_cache(cache)
                if validation is not None:
                    validation = validation.with_features(cached_features(cache, validation, 1, self.device))
            else:
                costs = self._without_cache()
            costs = replace(costs, opening=opening, stages=stages)
            if validation is not None:
                costs = replace(costs, checked=self._checked(validation))
            if self.test is not None:
                costs = self._scoring(costs, _some(self.test), Path(folder))
        return costs

    def _without_cache(self) -> Costs:
        source = CaseBatches(self.training, self.experiment.draw_order(self.training))
        first = self._step(source)
        per_step = self._step(source)  # the same batches, with images in memory
        reading = max(0.0, first - per_step) / self.experiment.config.training.batch_size
        return Costs(reading=reading, step=per_step)

    def _with_cache(self, cache: FeatureCache) -> Costs:
        cases, seconds = _some(self.training), list[float]()
        with torch.no_grad():  # the first pass is slower
            self.backbone.to(self.device).features(torch.rand(1, 3, *cases.policy.size, device=self.device))
        with _timed(seconds):
            features = cached_features(cache, cases, 1, self.device)
        for _ in range(2):  # the first time their checksums are verified
            with _timed(seconds):
                for case in range(len(cases)):
                    features(case, 0, 0)
        cached = cases.with_features(lambda case, _, slot: features(case, 0, slot))
        per_step = self._step(CaseBatches(cached, self.experiment.draw_order(cached)))
        view, first, again = (one / len(cases) for one in seconds)
        return Costs(reading=max(0.0, first - again), step=per_step, view=view)

    def _step(self, source: Batches) -> float:
        return time_steps(self.method, source, self.device, self.experiment.config.training)

    def _checked(self, cases: Cases) -> float:
        check, seconds = Validator(self.experiment, cases, self.device), list[float]()
        while not seconds or (len(seconds) < 2 and sum(seconds) < MOST_SECONDS):  # the first time is longer
            self.method.eval()
            with _timed(seconds):
                check(self.method)
        return seconds[-1] / len(cases)

    def _scoring(self, costs: Costs, cases: Cases, folder: Path) -> Costs:
        config, encoding, skeleton = self.experiment.config, self.experiment.encoding, self.experiment.skeleton
        predictor = BatchPredictor(self.method, encoding, self.device, config.evaluation.flip_test)
        scored, kept, metrics = list[float](), list[float](), build_metrics(config, skeleton)
        with _timed(scored):
            answers = list(predictor.each(cases, config.evaluation.batch_size))
            for metric in metrics:
                for answer in answers:
                    metric.update(*answer)
        with _timed(kept):
            for prediction, item in answers:
                record(prediction, item, encoding, skeleton, folder)
        answered = {
            name: self._untrained(name, cases) if reworded(name, cases) is None else scored[0] / len(cases)
            for name in config.baselines
        }
        return replace(
            costs, scored=scored[0] / len(cases), kept=kept[0] / len(cases),
            baselines={name: seconds for name, seconds in answered.items() if seconds is not None},
        )  # fmt: skip

    def _untrained(self, name: str, cases: Cases) -> float | None:
        """Of one test item; None for a baseline that is trained, is another model, or reads too many items first."""
        if len(self.experiment.splits.train) > FEW_ITEMS and name.startswith(("mean-", "most-", "head-", "eye-")):
            return None
        seconds = list[float]()
        answer = untrained_baseline(name, self.experiment)
        if answer is None:
            return None
        metrics = build_metrics(self.experiment.config, self.experiment.skeleton)
        items = list(islice(map(cases.item, range(len(cases))), 4))
        with _timed(seconds):
            for item in items:
                found = answer(item)
                for metric in metrics:
                    metric.update(found, item)
        return seconds[0] / len(items)


def time_steps(method: Method, batches: Batches, device: str, training: TrainingConfig | None = None) -> float:
    """Mean seconds of a training step, without the first. With `training` optimisers step, too, on a GPU.

    On a CPU they take a hundredth of the time, and are slow to import.
    """
    moves = training is not None and device.startswith("cuda")
    optimisers = build_optimisation(training).optimisers(method) if training is not None and moves else []
    method.train()
    seconds, source = list[float](), iter(batches.from_step(0))
    while len(seconds) < 2 or (len(seconds) <= MOST_STEPS and sum(seconds) < MOST_SECONDS):
        with _timed(seconds):
            batch = next(source).to(device)
            for number, group in enumerate(method.optimizer_groups):
                total_loss(method.losses(batch, group)).backward()
                if optimisers:
                    optimisers[number].step()
                method.zero_grad()
    return sum(seconds[1:]) / len(seconds[1:])


class _Chosen(Sequence[Item]):
    """Items of cases, found anew at each use, as the training does."""

    def __init__(self, cases: Cases, indices: Sequence[int]) -> None:
        self.cases, self.indices = cases, indices

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> "_Chosen": ...
    def __getitem__(self, index: int | slice) -> "Item | _Chosen":
        if isinstance(index, slice):
            return _Chosen(self.cases, self.indices[index])
        return self.cases.item(self.indices[index])


def _some(cases: Cases) -> Cases:
    """Of at most `MOST_ITEMS`, evenly spaced."""
    every = max(1, len(cases) // MOST_ITEMS)
    return cases.with_items(_Chosen(cases, range(0, len(cases), every)[:MOST_ITEMS]))


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds.append(time.perf_counter() - begun)
