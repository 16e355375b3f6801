"""The recipe of `gensight study`: one training recipe, run over folds and seeds in several variants."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gensight.config.fields import Flag, Integer, Name
from gensight.config.loading.overrides import value_overrides
from gensight.config.recipe import COMMAND, Recipe, Variation

Fold = int | str
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


class ArmConfig(Variation):
    """One variant of the recipe."""

    seeds: Annotated[tuple[Integer, ...], Field(min_length=1)] | None = Field(
        default=None, description="Seeds of this arm; none: the study's."
    )
    against: Name | None = Field(
        default=None, description="Arm that this one is compared with; none: the study's reference."
    )


class StudyConfig(Variation, Recipe):
    """The recipe of `gensight study`."""

    verb: Annotated[Literal["study"], COMMAND] = "study"
    recipe: Name = Field(description="The training recipe that is varied, by name or path.")
    fold_key: Name = Field(
        default="data.split.test_block", description="Key of the recipe that the folds are values of."
    )
    folds: tuple[Fold, ...] = Field(
        default=(), description="Values of `fold_key`, one run each; none: the recipe's own test part."
    )
    seeds: tuple[Integer, ...] = Field(default=(0,), min_length=1, description="One run each, for every fold.")
    arms: dict[Name, ArmConfig] = Field(min_length=1, description="The variants, by name.")
    reference: Name = Field(description="Arm that the others are compared with.")
    baselines: Flag = Field(default=False, description="Whether each run trains and scores its recipe's baselines too.")

    @model_validator(mode="after")
    def _names_fit(self) -> "StudyConfig":
        odd = [name for name in self.arms if not _FOLDER_NAME.fullmatch(name)]
        if odd:
            raise ValueError(f"arms name folders (letters, digits, `.`, `_`, `+`, `-`), got {', '.join(odd)}")
        for name in (self.reference, *(arm.against for arm in self.arms.values() if arm.against)):
            if name not in self.arms:
                raise ValueError(f"there is no arm `{name}` to compare with; the arms are {', '.join(self.arms)}")
        for key, values in (("folds", self.folds), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} has a value twice: {list(values)}")
        return self

    def against(self, arm: str) -> str | None:
        """The arm that an arm is compared with; None for the reference itself."""
        other = self.arms[arm].against or self.reference
        return None if other == arm else other


STUDY_KEYS = tuple(key for key in StudyConfig.model_fields if key != "verb")
"""Overrides of these keys change the study, all others the recipe of every run."""


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        arm: Name of the variant.
        fold: Value of the study's `fold_key`; None where there are no folds.
        seed: Of the run.
        folder: Run folder, relative to the study's, with `/`.
        overrides: What makes the recipe this run's, `key=value` each.
    """

    arm: str
    fold: Fold | None
    seed: int
    folder: str
    overrides: tuple[str, ...]


def cells(study: StudyConfig) -> Iterator[Cell]:
    """Every run, seed by seed, so that all arms can be compared as soon as the first seed is through."""
    seeds = {name: arm.seeds or study.seeds for name, arm in study.arms.items()}
    for seed in dict.fromkeys(seed for of in seeds.values() for seed in of):
        for name in study.arms:
            for fold in (study.folds or (None,)) if seed in seeds[name] else ():
                yield _cell(study, name, fold, seed)


def _cell(study: StudyConfig, arm: str, fold: Fold | None, seed: int) -> Cell:
    place = f"seed-{seed}" if fold is None else f"fold-{_UNSAFE.sub('_', str(fold))}-seed-{seed}"
    values: dict[str, Any] = {**study.changes, **study.arms[arm].changes}
    if fold is not None:
        values[study.fold_key] = fold
    if not study.baselines:
        values["evaluation.baselines"] = []
    values |= {"seed": seed, "name": f"{study.name}-{arm}-{place}"}
    return Cell(arm, fold, seed, f"{arm}/{place}", tuple(value_overrides(values)))
