"""Data sets of pairs of images with the same parts marked."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.stored import MayLackFiles
from gensight.config.fields import Name
from gensight.config.sections import FolderLayout


class SpairData(MayLackFiles):
    """SPair-71k: pairs of images of one class with the same parts marked."""

    kind: Literal["spair"] = "spair"
    root_is: ClassVar[str] = "Folder that holds JPEGImages, PairAnnotation and Layout"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "SPair-71k", ("PairAnnotation", "Layout", "JPEGImages"), "davis-correspondence",
        ("view.size=[192, 256]", "evaluation.baselines=[no-motion, sift]"),
    )  # fmt: skip
    category: Name | None = Field(default=None, description="Read only the pairs of this class; none: all.")
