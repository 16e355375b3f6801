"""Changes to a run that exists: where its data lie, and what is scored. Its config.yaml keeps them."""

import warnings
from collections.abc import Iterable

from gensight.assembly.experiment import Experiment
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, RunError

_PARTS = ("train", "validation", "test")
PLACES = ("data.root", "data.path", *(f"data.{part}.{key}" for part in _PARTS for key in ("images", "annotations")))
SCORED = "evaluation."


def open_changed(run: RunFolder, overrides: Iterable[str]) -> Experiment:
    """The experiment of a finished run with changes, which the run then keeps.

    Protocols and baselines are added to those that it has. Data that have moved must be the same data.

    Args:
        run: The run folder.
        overrides: `data.root=PATH` and its like, `evaluation.KEY=VALUE`.

    Raises:
        ConfigError: Anything else is changed, or cannot be had.
        RunError: These are other data than the run was trained on.
    """
    overrides = list(overrides)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key not in PLACES and not key.startswith(SCORED):
            raise ConfigError(
                "a run's recipe can't be changed, but for where its data lie and what is scored",
                where=override,
                choices=["data.root", "data.path", "evaluation.protocols", "evaluation.baselines", "evaluation.sigmas"],
                hint=f"train a run of its own, or lengthen this one: gensight train {run.root} training.steps=N",
            )
    card, held = run.read_card(), load_recipe(run.config)
    config = _with_all_scored(load_recipe(run.config, overrides), held)
    experiment = Experiment.open(config)
    if config.data != held.data:
        _require_same_data(experiment, card.data, run)
    run.change(experiment.config)
    return experiment


def _with_all_scored(config: RunConfig, held: RunConfig) -> RunConfig:
    """With the protocols and baselines of both."""
    both = {key: tuple(dict.fromkeys((*getattr(held, key), *getattr(config, key)))) for key in ("protocols",
                                                                                              "baselines")}  # fmt: skip
    changed = {key: names for key, names in both.items() if names != getattr(config, key)}
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update=changed)})


def _require_same_data(experiment: Experiment, trained_on: dict[str, str], run: RunFolder) -> None:
    if not trained_on:
        warnings.warn(f"{run.root} does not record its data, so these could not be compared with them", stacklevel=3)
        return
    found = experiment.data_fingerprints()
    other = [part for part in trained_on if found.get(part) != trained_on[part]]
    if other:
        part = other[0]
        raise RunError(
            f"these are other data than the run was trained on: its {part} part had {trained_on[part].split()[0]} "
            f"samples, here are {found.get(part, '0').split()[0]}, and names or sizes of images differ",
            where=run.root,
            hint="name the folder that the data were moved to, or train a run of its own on these",
        )
