"""Data sets of pairs of images with the same parts marked."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import Missing
from gensight.config.fields import Location, Name
from gensight.config.sections import DataSection, FolderLayout


class SpairData(DataSection):
    """SPair-71k: pairs of images of one class with the same parts marked."""

    kind: Literal["spair"] = "spair"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "SPair-71k", ("PairAnnotation", "Layout", "JPEGImages"), "davis-correspondence",
        ("view.size=[192, 256]", "evaluation.baselines=[no-motion, sift]"),
    )  # fmt: skip
    root: Location = Field(description="Folder that holds JPEGImages, PairAnnotation and Layout.")
    size: Literal["large", "small"] = Field(default="large", description="Which lists of pairs.")
    category: Name | None = Field(default=None, description="Read only the pairs of this class; none: all.")
    missing: Missing = Field(
        default="error", description="Images or pairs that are not there: refuse, or leave out and count."
    )
