"""Data sets of pairs of images: with the same parts marked, or one to be made of the other."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.stored import ListsWithTest, MayLackFiles
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


class ImagePairsData(ListsWithTest):
    """Degraded images, and those that they should become: without rain, in good light, without noise."""

    kind: Literal["image-pairs"] = "image-pairs"
    root_is: ClassVar[str] = "Folder of the parts, each with a folder of degraded and one of restored images"
    task: Literal["derain", "low-light", "denoise"] = Field(description="What is restored.")
    folders: tuple[Name, Name] = Field(
        default=("input", "target"), description="Names of the folders of degraded and of restored images."
    )
