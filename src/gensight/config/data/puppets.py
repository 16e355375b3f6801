"""Synthetic data sets: rendered from a seed, nothing on disk."""

from typing import Literal

from pydantic import Field

from gensight.config.fields import ImageSize, Integer, NonNegativeInteger, PositiveInteger
from gensight.config.sections import DataSection


class PuppetsData(DataSection):
    """Synthetic people and animals in procedural scenes, rendered from a seed; needs nothing on disk."""

    kind: Literal["puppets"] = "puppets"
    num_train: PositiveInteger = Field(default=2000, description="Number of training images.")
    num_validation: NonNegativeInteger = Field(
        default=100, description="Number of images that choose the best checkpoint."
    )
    num_test: NonNegativeInteger = Field(default=200, description="Number of images that are scored.")
    size: ImageSize = Field(default=(128, 128), description="Height and width of the rendered images, in pixels.")
    subjects: Literal["people", "animals", "all"] = Field(default="people", description="Which subjects are rendered.")
    num_subjects: tuple[NonNegativeInteger, NonNegativeInteger] = Field(
        default=(1, 3), description="Fewest and most subjects in a scene."
    )
    style: Literal["full", "clean"] = Field(
        default="full",
        description="full: also small, cropped and hidden subjects, clutter, uneven light, blur and grain; clean: "
        "mostly one subject, whole, large, sharp and evenly lit.",
    )
    num_frames: PositiveInteger = Field(
        default=1, description="Consecutive images that show one scene in motion, for targets that relate images."
    )
    seed: Integer = Field(default=0, description="Seed of the scenes; train, validation and test never share one.")
