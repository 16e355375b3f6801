"""`gensight train`: a recipe becomes a run folder, with its baselines, its scores and its report."""

import time
from contextlib import nullcontext
from pathlib import Path

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.devices import choose_device, default_run_folder
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import build_machine, build_optimisation
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
from gensight.files.progress import Announce, silent
from gensight.loading.cases import Cases
from gensight.loading.stream import CaseBatches
from gensight.prediction.scoring.validation import Validator, calibrate
from gensight.studies.costs import cached_views
from gensight.studies.trained_baselines import train_baselines, untrained_baselines
from gensight.verbs.evaluate import evaluate


def train(config: RunConfig, out: Path | None = None, device: str = "auto", announce: Announce = silent) -> Path:
    """Trains a recipe, its baselines beside it, scores them all and writes the report.

    An existing run folder of the same recipe is resumed; a finished one is only scored again, or trained further where
    the recipe has more steps or time; protocols and baselines may differ too. By several processes the
    recipe alone is trained, where its baselines are to be trained too: one process does that, by the same call.

    Args:
        config: The recipe.
        out: Run folder; `runs/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        announce: Receives what was changed, in the recipe or in a run that is there.

    Returns:
        The run folder.
    """
    folder = default_run_folder(config) if out is None else Path(out)
    device = choose_device(device)
    # The run's own record, whatever later versions have.
    experiment = Experiment.open(resolve_preset(config)).with_steps()
    config, run = experiment.config, RunFolder(folder)
    if experiment.sides_note:
        announce(f"note: {experiment.sides_note}")
    if not is_first_process():  # the first one writes
        train_run(experiment, run, device)
        return folder
    for line in () if run.finished else experiment.label_warnings():
        announce(f"warning: {line}")
    with only_writer(folder) if run.config.is_file() else nullcontext():
        changed = run.lengthen(config) if run.config.is_file() else ""
    if changed:
        announce(changed)
    several = config.training.devices * config.training.num_nodes > 1 and not run.finished
    alone = config.model_copy(update={"training": config.training.model_copy(update={"devices": 1, "num_nodes": 1})})
    run.create(config)
    with only_writer(folder):
        train_run(experiment, run, device)
        if several and untrained_baselines(config, run):
            return folder
        train_baselines(
            experiment.with_config(alone), run, device,
            lambda child, place: train_run(child, place, device, label=place.root.name),
        )  # fmt: skip
    if config.protocols and experiment.splits.test is not None:
        evaluate(folder, device=device, experiment=experiment)
    return folder


def train_run(experiment: Experiment, run: RunFolder, device: str, label: str = "train") -> None:
    """Trains one recipe into one run folder, without baselines or scores. Does nothing if the run has finished."""
    if run.finished:
        return
    config, first = experiment.config, is_first_process()
    if first:
        run.create(config)
    backbone = build_backbone(config)
    method = build_method(config, backbone, experiment.encoding)
    begun = time.monotonic()
    cases, validation = _cases(experiment, backbone, run, device)
    cache_minutes = (time.monotonic() - begun) / 60
    training = fit(
        method,
        CaseBatches(cases, experiment.draw_order(cases)),
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
    if not config.caches_features:
        return experiment.training_cases(), experiment.validation_cases()
    num_views = cached_views(experiment)
    cases = experiment.training_cases(num_views)
    cache = FeatureCache(run.root / "cache", backbone)
    features = cached_features(cache, cases, num_views, device, label="cache training features")
    cases = experiment.training_cases(num_views, features)
    validation = experiment.validation_cases()
    if validation is not None:
        features = cached_features(cache, validation, 1, device, label="cache validation features")
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
        data=experiment.data_fingerprints(),
    )
