"""Data sets that are drawn, and need nothing on disk."""

from typing import Literal

from pydantic import Field

from gensight.config.fields import ImageSize, Integer, NonNegativeInteger, PositiveInteger
from gensight.config.sections import DataSection


class PuppetsData(DataSection):
    """People and animals drawn over procedural scenes, from a seed; needs nothing on disk."""

    kind: Literal["puppets"] = "puppets"
    num_train: PositiveInteger = Field(default=2000, description="Number of training images.")
    num_validation: NonNegativeInteger = Field(
        default=100, description="Number of images that choose the best checkpoint."
    )
    num_test: NonNegativeInteger = Field(default=200, description="Number of images that are scored.")
    size: ImageSize = Field(default=(128, 128), description="Height and width of the drawn images, in pixels.")
    subjects: Literal["people", "animals", "all"] = Field(default="people", description="Who is drawn.")
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
    seed: Integer = Field(default=0, description="Draws the scenes; train, validation and test never share one.")
