"""Data sets of people and where they look."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.stored import MayLackFiles, NamedLists, Stepped
from gensight.config.fields import Name, PositiveInteger, Text
from gensight.config.sections import FolderLayout


class GazeFollowData(NamedLists, MayLackFiles):
    """GazeFollow, extended: people in photographs and where they look, the test part by several annotators."""

    kind: Literal["gazefollow"] = "gazefollow"
    root_is: ClassVar[str] = "Folder that holds train, test2 and the annotation files"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "GazeFollow", ("train_annotations_release.txt", "train"), "gaze-frozen"
    )
    train: Text = "train_annotations_release.txt"
    test: Name | None = "test_annotations_release.txt"
    num_test: PositiveInteger | None = Field(
        default=None, description="Score this many images, sampled by `seed`; none: all. Stated with the scores."
    )

    @property
    def scored_subset(self) -> str:
        return "" if self.num_test is None else f"{self.num_test} images, seed {self.seed}"


class VideoAttentionTargetData(Stepped, MayLackFiles):
    """VideoAttentionTarget: people in television shows, frame by frame, and where they look; all frames are scored."""

    kind: Literal["video-attention-target"] = "video-attention-target"
    root_is: ClassVar[str] = "Folder that holds images and annotations"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "VideoAttentionTarget", ("annotations/train/*/*", "images"), "gaze-frozen"
    )
    validation: tuple[Name, ...] = Field(
        default=(), description="Shows of the training part that choose the best checkpoint; empty: none is chosen."
    )


class GooData(NamedLists, MayLackFiles):
    """GOO: shoppers before shelves, and the product that they look at; parts are pickle or json files of records."""

    kind: Literal["goo"] = "goo"
    root_is: ClassVar[str] = "Folder that the records' file names start from"
    train: Text
    test: Name | None = None
    head: Literal["box", "point"] = Field(
        default="box", description="box: the head's own; point: 0.15 of the image to each side of its point, as in GOO."
    )
