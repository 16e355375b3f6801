"""Data sets of people and where they look."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import Missing
from gensight.config.fields import Flag, Integer, Location, Name, PositiveInteger, Share
from gensight.config.sections import DataSection, FolderLayout

_MISSING = "Images that are not there: refuse, or leave out and count."


class GazeFollowData(DataSection):
    """GazeFollow, extended: people in photographs and where they look, the test part by several annotators."""

    kind: Literal["gazefollow"] = "gazefollow"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "GazeFollow", ("train_annotations_release.txt", "train"), "gaze-frozen"
    )
    root: Location = Field(description="Folder that holds train, test2 and the annotation files.")
    train: Name = Field(default="train_annotations_release.txt", description="Annotation file to train on.")
    validation: Name | None = Field(
        default=None,
        description="Annotation file that chooses the best checkpoint; none: `validation_share` of train. The test "
        "file, as many papers have it, would choose on the test.",
    )
    test: Name | None = Field(
        default="test_annotations_release.txt", description="Annotation file that is scored; none: nothing is."
    )
    guess_heads: Flag = Field(
        default=False, description="Guess head boxes around the eye where a file has none (the original .mat)."
    )
    missing: Missing = Field(default="error", description=_MISSING)
    validation_share: Share = Field(default=0.04, description="Share of the training images kept for validation.")
    num_test: PositiveInteger | None = Field(
        default=None, description="Score this many images, sampled by `seed`; none: all. Stated with the scores."
    )
    seed: Integer = Field(default=0, description="Seed that samples the validation images and the `num_test` images.")

    @property
    def scored_subset(self) -> str:
        return "" if self.num_test is None else f"{self.num_test} images, seed {self.seed}"


class VideoAttentionTargetData(DataSection):
    """VideoAttentionTarget: people in television shows, frame by frame, and where they look."""

    kind: Literal["video-attention-target"] = "video-attention-target"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "VideoAttentionTarget", ("annotations/train/*/*", "images"), "gaze-frozen"
    )
    root: Location = Field(description="Folder that holds images and annotations.")
    validation: tuple[Name, ...] = Field(
        default=(), description="Shows of the training part that choose the best checkpoint; empty: none is chosen."
    )
    smoothing: Flag = Field(
        default=True, description="Average head boxes over 11 rows of a track, as the original loader does."
    )
    step: PositiveInteger = Field(default=1, description="Train on every k-th frame of a clip.")
    missing: Missing = Field(default="error", description=_MISSING)


class GooData(DataSection):
    """GOO: shoppers before shelves, and the product that they look at."""

    kind: Literal["goo"] = "goo"
    root: Location = Field(description="Folder that the records' file names start from.")
    train: Name = Field(description="Records to train on: a pickle or json file, from `root` or absolute.")
    validation: Name | None = Field(
        default=None, description="Records that choose the best checkpoint; none: `validation_share` of train."
    )
    test: Name | None = Field(default=None, description="Records that are scored; none: nothing is.")
    head: Literal["box", "point"] = Field(
        default="box", description="box: the head's own; point: 0.15 of the image to each side of its point, as in GOO."
    )
    missing: Missing = Field(default="error", description=_MISSING)
    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")
    seed: Integer = Field(default=0, description="Seed that samples the validation images.")
