"""The trained baselines that are scored beside a run: the same network with random weights, and one from scratch."""

from collections.abc import Callable
from typing import Any

from gensight.assembly.experiment import Experiment
from gensight.config.encodings import JointConfig
from gensight.config.loading.loader import load_recipe
from gensight.config.protocols import TEACHER, TRAINED
from gensight.config.schema import RunConfig, ScratchConfig
from gensight.engine.run_folder import RunFolder
from gensight.prediction.baselines.untrained import Answer, untrained_baseline
from gensight.studies.dry_run import measure
from gensight.teachers.baseline import PoseTeacherBaseline
from gensight.teachers.models.pose import PoseTeacher

TrainRun = Callable[[Experiment, RunFolder], None]
MIN_STEPS = 20


def untrained_answer(baseline: str, experiment: Experiment, device: str) -> Answer | None:
    """A baseline that needs no training here: a learning-free one, or a teacher. None for the others."""
    if not baseline.startswith(TEACHER):
        return untrained_baseline(baseline, experiment)
    assert experiment.skeleton is not None  # the schema lets only keypoint encodings ask for it
    return PoseTeacherBaseline(PoseTeacher(baseline.removeprefix(TEACHER), device), experiment.skeleton)


def baseline_config(config: RunConfig, baseline: str) -> RunConfig | None:
    """The recipe of a trained baseline; None for one that needs no training, or that equals this run."""
    if baseline not in TRAINED or config.backbone.kind == "scratch":
        return None
    changes: dict[str, Any] = {"name": f"{config.name}-{baseline}"}
    if baseline == "random-weights":
        if config.backbone.random_weights:
            return None
        return config.model_copy(
            update=changes | {"backbone": config.backbone.model_copy(update={"random_weights": True})}
        )
    changes |= {"backbone": ScratchConfig(), "method": config.method.model_copy(update={"timesteps": "clean"})}
    if isinstance(config.encoding, JointConfig):
        changes["encoding"] = config.encoding.model_copy(update={"timesteps": {}})
    return config.model_copy(update=changes)


def untrained_baselines(config: RunConfig, run: RunFolder) -> dict[str, RunConfig]:
    """Name -> recipe of the baselines that are networks of their own and have not been trained beside a run."""
    return {
        baseline: recipe
        for baseline in config.baselines
        if (recipe := baseline_config(config, baseline)) is not None and not baseline_folder(run, baseline).finished
    }


def with_steps_for(experiment: Experiment, minutes: float, device: str) -> Experiment:
    """With as many steps as fit into `minutes` of training on this machine, as measured."""
    steps = max(MIN_STEPS, round(60 * minutes / measure(experiment, device, scores=False).costs.step))
    config = experiment.config
    training = config.training.model_copy(update={"steps": steps, "max_minutes": None})
    return experiment.with_config(config.model_copy(update={"training": training}))


def baseline_folder(run: RunFolder, baseline: str) -> RunFolder:
    return RunFolder(run.baselines / baseline)


def train_baselines(experiment: Experiment, run: RunFolder, device: str, train_run: TrainRun) -> None:
    """Trains each baseline that the recipe names and that has not been trained; `scratch` as long as the run."""
    minutes = run.read_card().training_minutes or 0.0
    for baseline, recipe in untrained_baselines(experiment.config, run).items():
        folder = baseline_folder(run, baseline)
        if folder.config.is_file():  # interrupted before
            opened = experiment.with_config(load_recipe(folder.config))
        else:
            opened = experiment.with_config(recipe)
            if baseline == "scratch":
                opened = with_steps_for(opened, minutes, device)
        train_run(opened, folder)
