"""The trained baselines that stand beside a run: the random-weight twin, and a network from scratch."""

from collections.abc import Callable
from typing import assert_never

from gensight.config.schema import Baseline, RunConfig, ScratchConfig
from gensight.engine.run_folder import RunFolder

TrainRun = Callable[[RunConfig, RunFolder], None]


def baseline_config(config: RunConfig, baseline: Baseline, minutes: float) -> RunConfig | None:
    """The recipe of a trained baseline; None for one that needs no training, or that this run already is.

    Args:
        config: The recipe of the run.
        baseline: Which.
        minutes: How long the run trained; a network from scratch gets as long.
    """
    match baseline:
        case "mean-position":
            return None
        case "random-twin":
            if config.backbone.kind == "scratch" or config.backbone.random_weights:
                return None
            backbone = config.backbone.model_copy(update={"random_weights": True})
            return config.model_copy(update={"name": f"{config.name}-random-twin", "backbone": backbone})
        case "scratch":
            if config.backbone.kind == "scratch":
                return None
            training = config.training.model_copy(update={"max_minutes": max(minutes, 0.05)})
            method = config.method.model_copy(update={"timesteps": "clean"})
            return config.model_copy(
                update={
                    "name": f"{config.name}-scratch",
                    "backbone": ScratchConfig(),
                    "method": method,
                    "training": training,
                }
            )
        case _:
            assert_never(baseline)


def baseline_folder(run: RunFolder, baseline: Baseline) -> RunFolder:
    return RunFolder(run.baselines / baseline)


def train_baselines(config: RunConfig, run: RunFolder, train_run: TrainRun) -> None:
    """Trains each baseline that the recipe names and that has not been trained."""
    minutes = float(run.read_card()["training_minutes"])
    for baseline in config.evaluation.baselines:
        recipe = baseline_config(config, baseline, minutes)
        if recipe is not None:
            train_run(recipe, baseline_folder(run, baseline))
