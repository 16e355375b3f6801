"""Data sets whose labels are the classes of whole images."""

from typing import ClassVar, Literal

from gensight.config.data.stored import ListsWithTest, MayLackFiles, NamedLists
from gensight.config.fields import Text
from gensight.config.sections import FolderLayout


class PetsData(ListsWithTest, MayLackFiles):
    """Oxford-IIIT Pet: cats and dogs with breed, mask and head."""

    kind: Literal["pets"] = "pets"
    root_is: ClassVar[str] = "Folder that holds images and annotations"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "Oxford-IIIT Pet", ("annotations/trimaps", "annotations/list.txt", "images"), "classify-pets-resnet50"
    )
    train: Text = "trainval"


class ImageFoldersData(NamedLists):
    """Images in one folder per class, as ImageNet has them; an empty `train`: the classes lie in `root`."""

    kind: Literal["image-folders"] = "image-folders"
    root_is: ClassVar[str] = "Folder of the parts"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "images in one folder per class", ("train/*/*", "val/*/*"), "classify-pets-resnet50"
    )
