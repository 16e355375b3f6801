"""The `data` section of a recipe: one model per kind of data set, and the ways to split one."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gensight.config.fields import (
    Flag,
    ImageSize,
    Integer,
    Location,
    Name,
    NonNegativeInteger,
    PositiveInteger,
    Section,
    Share,
)


class _Shares(Section):
    train: Share = Field(
        default=0.7, description="Share of the samples to train on; what the shares leave over is unused."
    )
    validation: Share = Field(default=0.1, description="Share of the samples that chooses the best checkpoint.")
    test: Share = Field(default=0.2, description="Share of the samples that is scored.")

    @model_validator(mode="after")
    def _at_most_one(self) -> "_Shares":
        total = self.train + self.validation + self.test
        if total > 1 + 1e-6:
            raise ValueError(f"train, validation and test are shares of one data set, but add up to {total:g}")
        return self


class SeedSplit(_Shares):
    """Parts drawn at random."""

    kind: Literal["seed"] = "seed"
    seed: Integer = Field(default=0, description="Draws the parts; the same seed gives the same parts.")


class OrderSplit(_Shares):
    """The first samples train, the next validate, the last test."""

    kind: Literal["order"] = "order"


class BlocksSplit(Section):
    """Contiguous blocks of the label file's order; one block is the test part (cross-validation over `test_block`)."""

    kind: Literal["blocks"] = "blocks"
    num_blocks: Integer = Field(default=5, ge=2, description="How many contiguous blocks the samples are cut into.")
    test_block: NonNegativeInteger = Field(default=4, description="Which block is scored, counted from 0.")
    validation: Share = Field(
        default=0.1, description="Share of the other blocks' samples that chooses the best checkpoint."
    )

    @model_validator(mode="after")
    def _block_exists(self) -> "BlocksSplit":
        if self.test_block >= self.num_blocks:
            raise ValueError(f"test_block={self.test_block}, but num_blocks={self.num_blocks} has blocks 0 to "
                             f"{self.num_blocks - 1}")  # fmt: skip
        return self


class VideosSplit(Section):
    """Whole videos are held out."""

    kind: Literal["videos"] = "videos"
    test: tuple[Name, ...] = Field(min_length=1, description="Names of the videos to score (folders in labeled-data).")
    validation: Share = Field(
        default=0.1, description="Share of the other videos' samples that chooses the best checkpoint."
    )


Split = Annotated[SeedSplit | OrderSplit | BlocksSplit | VideosSplit, Field(discriminator="kind")]


class PuppetsData(Section):
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
    num_frames: PositiveInteger = Field(
        default=1, description="Consecutive images that show one scene in motion, for targets that relate images."
    )
    seed: Integer = Field(default=0, description="Draws the scenes; train, validation and test never share one.")


class CocoPart(Section):
    """One part of a COCO data set."""

    images: Name = Field(description="Folder of the images, from `data.root` or absolute.")
    annotations: Name = Field(description="Json file of the keypoint annotations, from `data.root` or absolute.")


class CocoData(Section):
    """COCO keypoint annotations (json) and their images."""

    kind: Literal["coco"] = "coco"
    root: Location = Field(description="Folder of the data set.")
    train: CocoPart = Field(
        default=CocoPart(images="train2017", annotations="annotations/person_keypoints_train2017.json"),
        description="Images and labels to train on.",
    )
    validation: CocoPart | None = Field(
        default=None,
        description="Images and labels that choose the best checkpoint; none: `validation_share` of train.",
    )
    test: CocoPart | None = Field(
        default=CocoPart(images="val2017", annotations="annotations/person_keypoints_val2017.json"),
        description="Images and labels that are scored; none: `test_share` of train.",
    )
    categories: tuple[Name, ...] = Field(default=("person",), min_length=1, description="Categories to read.")
    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")
    test_share: Share = Field(
        default=0.2, description="Share of the training images kept for the test, where none is given."
    )
    seed: Integer = Field(default=0, description="Draws the images that are kept from training.")


class DeepLabCutData(Section):
    """A DeepLabCut project: config.yaml and labeled-data/*/CollectedData_*.csv or .h5."""

    kind: Literal["deeplabcut"] = "deeplabcut"
    root: Location = Field(description="Folder of the project (the one with config.yaml).")
    split: Split = Field(
        default=SeedSplit(), description="How labelled frames are divided into train, validation and test."
    )
    num_labels: PositiveInteger | None = Field(
        default=None, description="Train on this many labelled frames, evenly spaced over the training part; none: all."
    )
    bodyparts: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="Keypoints to use, in this order; none: all of the project's."
    )


class FolderData(Section):
    """Images without labels, in a folder."""

    kind: Literal["folder"] = "folder"
    root: Location = Field(description="Folder of the images.")
    recursive: Flag = Field(default=True, description="Whether to look in sub-folders as well.")


class VideoData(Section):
    """Frames of one video, without labels."""

    kind: Literal["video"] = "video"
    path: Location = Field(description="The video file.")
    step: PositiveInteger = Field(default=1, description="Take every so-manieth frame.")


class VideosData(Section):
    """Frames of all videos in a folder, without labels."""

    kind: Literal["videos"] = "videos"
    root: Location = Field(description="Folder of the videos.")
    step: PositiveInteger = Field(default=1, description="Take every so-manieth frame of each video.")


Data = Annotated[
    PuppetsData | CocoData | DeepLabCutData | FolderData | VideoData | VideosData, Field(discriminator="kind")
]
UNLABELLED = ("folder", "video", "videos")
