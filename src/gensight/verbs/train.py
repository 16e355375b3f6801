"""`gensight train`: a recipe becomes a run folder, with its baselines, its scores and its report."""

import math
import time
from pathlib import Path

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.encodings import resolve_vocabulary
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import build_machine, build_optimisation, choose_device, default_run_folder
from gensight.assembly.views import build_augmentation
from gensight.backbones.base import Backbone
from gensight.backbones.cache import FeatureCache, cached_features
from gensight.config.schema import RunConfig
from gensight.encodings.calibration import Calibration
from gensight.engine.card import BackboneIdentity, Card, package_versions
from gensight.engine.fit import Schedule, Training, fit
from gensight.engine.hardware import hardware
from gensight.engine.processes import is_first_process
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.lock import only_writer
from gensight.loading.cases import Cases
from gensight.prediction.scoring.validation import Validator, calibrate
from gensight.studies.dry_run import dry_run as run_dry
from gensight.studies.trained_baselines import needs_training, train_baselines
from gensight.verbs.evaluate import evaluate


def train(config: RunConfig, out: Path | None = None, device: str = "auto", dry_run: bool = False) -> Path:
    """Trains a recipe, its baselines beside it, scores them all and writes the report.

    An existing run folder of the same recipe is gone on with; a finished one is only scored again.

    Args:
        config: The recipe.
        out: Run folder; `runs/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        dry_run: Build everything, run one batch, tell time and memory, and write nothing.

    Returns:
        The run folder.
    """
    folder = default_run_folder(config) if out is None else Path(out)
    device = choose_device(device)
    # A run says what it read, whatever later versions have.
    config = resolve_epochs(resolve_vocabulary(resolve_preset(config)))
    if dry_run:
        if is_first_process():
            run_dry(config, device)
        return folder
    run = RunFolder(folder)
    if not is_first_process():  # the first one writes
        train_run(config, run, device)
        return folder
    several = config.training.devices * config.training.num_nodes > 1 and not run.finished
    alone = config.model_copy(update={"training": config.training.model_copy(update={"devices": 1, "num_nodes": 1})})
    run.create(config)
    with only_writer(folder):
        train_run(config, run, device)
        if several and needs_training(config):
            print(f"next: gensight train {run.config} --out {folder}, as one process: its baselines and scores")
            return folder
        train_baselines(alone, run, device, lambda child, place: train_run(child, place, device, label=place.root.name))
    if config.protocols and Experiment.open(config).splits.test is not None:
        evaluate(folder, device=device)
    return folder


def resolve_epochs(config: RunConfig) -> RunConfig:
    """The recipe with `training.epochs` turned into steps, rounded up; the recipe itself where it counts in steps."""
    training = config.training
    if training.epochs is None:
        return config
    num_items = len(Experiment.open(config).training_cases())
    steps = math.ceil(training.epochs * num_items / (training.batch_size * training.accumulate))
    return config.model_copy(update={"training": training.model_copy(update={"steps": steps, "epochs": None})})


def train_run(config: RunConfig, run: RunFolder, device: str, label: str = "train") -> None:
    """Trains one recipe into one run folder, without baselines or scores. Does nothing if the run has finished."""
    if run.finished:
        return
    first = is_first_process()
    if first:
        run.create(config)
    experiment = Experiment.open(config)
    backbone = build_backbone(config)
    method = build_method(config, backbone, experiment.encoding)
    begun = time.monotonic()
    cases, validation = _cases(experiment, backbone, run, device)
    cache_minutes = (time.monotonic() - begun) / 60
    training = fit(
        method,
        cases,
        experiment.draw_order(cases),
        build_optimisation(config.training),
        run,
        schedule=_schedule(config),
        machine=build_machine(config.training, device),
        validate=None if validation is None else Validator(experiment, validation, device),
        monitor="error",
        label=label,
    )
    if not first:
        return
    calibration = calibrate(experiment, method, validation, device)
    run.write_card(_card(experiment, backbone, training, cache_minutes, calibration, device))


def _schedule(config: RunConfig) -> Schedule:
    every = config.training.validate_every
    return Schedule(
        checkpoint_every=every,
        validate_every=every,
        log_every=max(1, min(20, config.training.steps // 50)),
        max_minutes=config.training.max_minutes,
    )


def _cases(experiment: Experiment, backbone: Backbone, run: RunFolder, device: str) -> tuple[Cases, Cases | None]:
    """Training and validation cases, with cached features where the recipe allows."""
    config = experiment.config
    several = config.training.devices * config.training.num_nodes > 1
    if several and config.cache.mode == "on":
        raise ConfigError(
            "a cache is written by one process, and the recipe trains with several",
            where="cache.mode",
            hint="set cache.mode=off, or training.devices=1",
        )
    if several or config.cache.mode == "off" or config.why_features_change() is not None:
        return experiment.training_cases(), experiment.validation_cases()
    augmented = build_augmentation(config.view.augment) is not None
    num_views = config.cache.views if augmented else 1
    cases = experiment.training_cases(num_views)
    cache = FeatureCache.open(run.root / "cache", backbone)
    features = cached_features(cache, backbone, cases, num_views, device, label="cache training features")
    cases = experiment.training_cases(num_views, features)
    validation = experiment.validation_cases()
    if validation is not None:
        features = cached_features(cache, backbone, validation, 1, device, label="cache validation features")
        validation = experiment.validation_cases(features)
    return cases, validation


def _card(
    experiment: Experiment,
    backbone: Backbone,
    training: Training,
    cache_minutes: float,
    calibration: Calibration,
    device: str,
) -> Card:
    config = experiment.config
    return Card(
        name=config.name,
        method=config.method.kind,
        backbone=BackboneIdentity.of(config, backbone.fingerprint()),
        skeleton=experiment.skeleton,
        calibration=calibration.confidence,
        threshold=calibration.threshold,
        num_parameters_trained=training.num_parameters,
        steps=training.steps,
        best_step=training.best_step,
        training_minutes=round(training.minutes + cache_minutes, 3),
        hardware=hardware(device),
        versions=package_versions(),
    )
