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
    Number,
    Positive,
    PositiveInteger,
    Section,
    Share,
    Text,
)
from gensight.config.gaze import GazeFollowData, GooData, VideoAttentionTargetData
from gensight.config.instruct import InstructPoolData


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
    categories: tuple[Name, ...] | None = Field(
        default=("person",), min_length=1, description="Categories to read; none: all of the file."
    )
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


class FootageData(Section):
    """Videos and folders of frames of one subject together, without labels."""

    kind: Literal["footage"] = "footage"
    root: Location = Field(description="A video, or a folder of videos and of folders of frames.")
    step: PositiveInteger = Field(default=1, description="Take every so-manieth frame of each.")
    long_side: PositiveInteger | None = Field(
        default=None,
        description="Reduce frames to this many pixels, and keep those of videos in memory: much faster; none: do not.",
    )


class BbcPoseData(Section):
    """BBC Pose: sign-language interpreters with seven joints of the upper body."""

    kind: Literal["bbc-pose"] = "bbc-pose"
    root: Location = Field(description="Folder that holds 1 ... 20 and code.")
    crop: Literal["training", "evaluation"] = Field(
        default="training",
        description="The subject's box: training, the joints' extent and 60 px to each side; evaluation, 300 x 300 px "
        "around its centre. Both are made from true joints, as published.",
    )


class VocData(Section):
    """PASCAL VOC 2012: boxes, and masks where there are some."""

    kind: Literal["voc"] = "voc"
    root: Location = Field(description="Folder that holds JPEGImages, such as VOCdevkit/VOC2012.")
    train: Name = Field(default="train", description="Name of the list of images to train on (ImageSets/Main).")
    validation: Name | None = Field(
        default=None,
        description="Name of the list that chooses the best checkpoint; none: `validation_share` of train.",
    )
    test: Name | None = Field(default="val", description="Name of the list that is scored; none: nothing is.")
    category: Name | None = Field(
        default=None, description="Read only images that show this class (CLASS_PART.txt), and its objects; none: all."
    )
    task: Literal["Main", "Segmentation"] = Field(
        default="Main", description="Folder of the lists below ImageSets; Segmentation: only images that have masks."
    )
    missing: Literal["error", "drop"] = Field(
        default="error", description="Images or annotations that are not there: refuse, or leave out and count."
    )
    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")
    seed: Integer = Field(default=0, description="Draws the images that are kept from training.")


class ListsSplit(Section):
    """The data set's own lists divide it."""

    kind: Literal["lists"] = "lists"
    train: Name = Field(default="train", description="Name of the list to train on.")
    test: Name | None = Field(default="val", description="Name of the list that is scored; none: nothing is.")
    validation: Share = Field(
        default=0.1, description="Share of the training samples, drawn at random, that chooses the best checkpoint."
    )


class DavisData(Section):
    """DAVIS 2016 or 2017: frames of short videos with the mask of each object."""

    kind: Literal["davis"] = "davis"
    root: Location = Field(description="Folder that holds JPEGImages.")
    year: Literal[2016, 2017] = Field(
        default=2017, description="Edition: where its lists are, and whether objects are one (2016) or told apart."
    )
    resolution: Name = Field(default="480p", description="Folder below JPEGImages and Annotations.")
    boxes: Flag = Field(
        default=False, description="Find each object's box in its masks; the first time this reads them all."
    )
    split: Annotated[ListsSplit | SeedSplit | OrderSplit | BlocksSplit | VideosSplit, Field(discriminator="kind")] = (
        Field(
            default=ListsSplit(),
            description="How frames are divided; without lists, hold out whole sequences (kind=videos).",
        )
    )


Camera = tuple[Positive, Positive, Number, Number]


class RgbdData(Section):
    """RGB-D frames: NAME.color.png, NAME.depth.png, NAME.pose.txt, camera-intrinsics.txt (7-Scenes and the like)."""

    kind: Literal["rgbd"] = "rgbd"
    root: Location = Field(description="Folder of the frames, or of folders of frames.")
    depth_unit: Positive = Field(default=0.001, description="Metres that a step of the depth images means.")
    intrinsics: Camera | None = Field(
        default=None, description="fx, fy, cx, cy of the depth camera, where there is no camera-intrinsics.txt."
    )
    colour_intrinsics: Camera | None = Field(
        default=None,
        description="fx, fy, cx, cy of a colour camera that isn't registered with the depth (7-Scenes: 525, 525, 320, "
        "240); none: both show the same view.",
    )
    colour_offset: tuple[Number, Number, Number] = Field(
        default=(0.0, 0.0, 0.0),
        description="Metres from coordinates in the depth camera to those in the colour camera (7-Scenes: -0.025, 0, "
        "0).",
    )
    grid: ImageSize = Field(
        default=(24, 32), description="Rows and columns of the points that are followed from frame to frame."
    )
    tolerance: Positive = Field(
        default=0.04, description="Relative difference of depths at which a point counts as hidden."
    )
    split: Split = Field(
        default=OrderSplit(),
        description="How frames are divided: neighbours look alike, so by time (order) or by folder (videos).",
    )


class SpairData(Section):
    """SPair-71k: pairs of images of one class with the same parts marked."""

    kind: Literal["spair"] = "spair"
    root: Location = Field(description="Folder that holds JPEGImages, PairAnnotation and Layout.")
    size: Literal["large", "small"] = Field(default="large", description="Which lists of pairs.")
    category: Name | None = Field(default=None, description="Read only the pairs of this class; none: all.")
    missing: Literal["error", "drop"] = Field(
        default="error", description="Images or pairs that are not there: refuse, or leave out and count."
    )


class Ap10kData(Section):
    """AP-10K: animals of 54 species with 17 keypoints."""

    kind: Literal["ap10k"] = "ap10k"
    root: Location = Field(description="Folder that holds data and annotations.")
    split: Literal[1, 2, 3] = Field(default=1, description="Which of the official divisions.")
    categories: tuple[Name, ...] | None = Field(default=None, min_length=1, description="Species to read; none: all.")
    missing: Literal["error", "drop"] = Field(
        default="error", description="Images that are not there: refuse, or leave out and count."
    )


class _OfficialLists(Section):
    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")
    seed: Integer = Field(default=0, description="Draws the images that are kept from training.")


_Missing = Literal["error", "drop"]


class NyuData(_OfficialLists):
    """NYU Depth V2: the labelled .mat file, or the raw layout with nyu_train.txt and nyu_test.txt."""

    kind: Literal["nyu"] = "nyu"
    root: Location = Field(description="nyu_depth_v2_labeled.mat, or the folder that the lists of pairs lie in.")
    splits: Location | None = Field(
        default=None, description="The .mat file of the official split; none: splits.mat beside the labelled file."
    )
    raw_depth: Flag = Field(
        default=False,
        description="Of the labelled file: the sensor's own depth, with holes, instead of the filled one.",
    )
    missing: _Missing = Field(
        default="error", description="Of the raw layout, pairs that are not there: refuse, or leave out and count."
    )


class SunRgbdData(_OfficialLists):
    """SUN RGB-D: rooms in colour and metric depth, with the kind of room."""

    kind: Literal["sunrgbd"] = "sunrgbd"
    root: Location = Field(description="Folder that holds SUNRGBD and, for the official parts, SUNRGBDtoolbox.")
    train: Name = Field(default="train", description="Part to train on, or a .txt list of pairs.")
    test: Name | None = Field(default="test", description="Part that is scored, or a .txt list; none: nothing is.")
    without_nyu: Flag = Field(default=True, description="Leave out the images that are NYUv2's.")
    depth: Literal["filled", "raw"] = Field(default="filled", description="depth_bfx, or the sensor's own.")
    missing: _Missing = Field(
        default="error", description="Scenes whose files are not there: refuse, or leave out and count."
    )


class Ade20kData(_OfficialLists):
    """ADE20K: SceneParsing with 150 classes, or the full data set of 2021."""

    kind: Literal["ade20k"] = "ade20k"
    root: Location = Field(description="Folder such as ADEChallengeData2016 or ADE20K_2021_17_01.")
    train: Name = Field(default="training", description="Part to train on.")
    test: Name | None = Field(default="validation", description="Part that is scored; none: nothing is.")
    missing: _Missing = Field(
        default="error", description="Of SceneParsing, images without an annotation: refuse, or leave out and count."
    )


class PetsData(_OfficialLists):
    """Oxford-IIIT Pet: cats and dogs with breed, mask and head."""

    kind: Literal["pets"] = "pets"
    root: Location = Field(description="Folder that holds images and annotations.")
    train: Name = Field(default="trainval", description="List to train on.")
    test: Name | None = Field(default="test", description="List that is scored; none: nothing is.")
    missing: _Missing = Field(default="error", description="Images that are not there: refuse, or leave out and count.")


class ImageFoldersData(_OfficialLists):
    """Images in one folder per class, as ImageNet has them."""

    kind: Literal["image-folders"] = "image-folders"
    root: Location = Field(description="Folder of the parts.")
    train: Text = Field(default="train", description="Folder of the part to train on; empty: classes lie in root.")
    test: Name | None = Field(default="val", description="Folder of the part that is scored; none: nothing is.")


class AnnotatedData(Section):
    """A data set that `gensight annotate` wrote: images with the labels of teachers."""

    kind: Literal["annotated"] = "annotated"
    root: Location = Field(description="Folder that holds dataset.json.")
    images: Location | None = Field(
        default=None, description="Where the source's images are, if they were moved; none: where dataset.json says."
    )
    min_confidence: Share = Field(default=0.0, description="Labels less confident than this are left out.")
    variants: Flag = Field(default=False, description="Read the variants of images too, as negatives for appearance.")
    split: Split = Field(default=SeedSplit(), description="How images are divided; hold out whole videos with videos.")


Data = Annotated[
    PuppetsData
    | CocoData
    | DeepLabCutData
    | FolderData
    | VideoData
    | VideosData
    | FootageData
    | BbcPoseData
    | VocData
    | DavisData
    | RgbdData
    | SpairData
    | Ap10kData
    | AnnotatedData
    | NyuData
    | SunRgbdData
    | Ade20kData
    | PetsData
    | ImageFoldersData
    | GazeFollowData
    | VideoAttentionTargetData
    | GooData
    | InstructPoolData,
    Field(discriminator="kind"),
]
UNLABELLED = ("folder", "video", "videos", "footage")
