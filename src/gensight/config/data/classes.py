"""Data sets whose labels are the classes of whole images."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import Missing, OfficialLists
from gensight.config.fields import Location, Name, Text
from gensight.config.sections import FolderLayout


class PetsData(OfficialLists):
    """Oxford-IIIT Pet: cats and dogs with breed, mask and head."""

    kind: Literal["pets"] = "pets"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "Oxford-IIIT Pet", ("annotations/trimaps", "annotations/list.txt", "images"), "classify-pets-resnet50"
    )
    root: Location = Field(description="Folder that holds images and annotations.")
    train: Name = Field(default="trainval", description="List to train on.")
    test: Name | None = Field(default="test", description="List that is scored; none: nothing is.")
    missing: Missing = Field(default="error", description="Images that are not there: refuse, or leave out and count.")


class ImageFoldersData(OfficialLists):
    """Images in one folder per class, as ImageNet has them."""

    kind: Literal["image-folders"] = "image-folders"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "images in one folder per class", ("train/*/*", "val/*/*"), "classify-pets-resnet50"
    )
    root: Location = Field(description="Folder of the parts.")
    train: Text = Field(default="train", description="Folder of the part to train on; empty: classes lie in root.")
    test: Name | None = Field(default="val", description="Folder of the part that is scored; none: nothing is.")
