"""Data sets of pairs of images with the same parts marked."""

from typing import Literal

from pydantic import Field

from gensight.config.data.splits import Missing
from gensight.config.fields import Location, Name, Section


class SpairData(Section):
    """SPair-71k: pairs of images of one class with the same parts marked."""

    kind: Literal["spair"] = "spair"
    root: Location = Field(description="Folder that holds JPEGImages, PairAnnotation and Layout.")
    size: Literal["large", "small"] = Field(default="large", description="Which lists of pairs.")
    category: Name | None = Field(default=None, description="Read only the pairs of this class; none: all.")
    missing: Missing = Field(
        default="error", description="Images or pairs that are not there: refuse, or leave out and count."
    )
