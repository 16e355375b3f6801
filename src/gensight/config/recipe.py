"""What the recipes of several commands share."""

from typing import Any

from pydantic import Field

from gensight.config.data import Data
from gensight.config.fields import Integer, Name, Positive, Section, Text

COMMAND = Field(description="Which command the recipe is for.")


class Recipe(Section):
    """The recipe of a command."""

    verb: str
    name: Name = Field(default="run", description="Names the output folder.")
    description: Text = Field(default="", description="One line, shown by `gensight recipes` and in the report.")


class DataOnly(Section):
    """What has a data set."""

    data: Data = Field(description="Images, and their labels where those are learned.")


class TrainedRecipe(DataOnly, Recipe):
    """The recipe of a command that trains a network on data."""

    seed: Integer = Field(default=0, description="Seed of initial weights, of noise, and of the order of images.")


class TimeLimit(Section):
    """What stops a training early."""

    max_minutes: Positive | None = Field(
        default=None, description="Stop after so many minutes of training; none: never."
    )


class Variation(Section):
    """What a study changes."""

    changes: dict[Name, Any] = Field(
        default={},
        description="Dotted keys of the recipe, and the values that they have in every arm, or in this one.",
    )
