"""Data sets of masks, boxes and depth."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import (
    BlocksSplit,
    ListsSplit,
    Missing,
    OfficialLists,
    OrderSplit,
    SeedSplit,
    Split,
    VideosSplit,
)
from gensight.config.fields import Flag, ImageSize, Integer, Location, Name, Number, Positive, Share
from gensight.config.sections import DataSection, FolderLayout


class VocData(DataSection):
    """PASCAL VOC 2012: boxes, and masks where there are some."""

    kind: Literal["voc"] = "voc"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "PASCAL VOC", ("JPEGImages", "Annotations/*.xml", "ImageSets"), None,
        advice="`gensight datasets voc-to-coco` writes its boxes as COCO json",
    )  # fmt: skip
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
    missing: Missing = Field(
        default="error", description="Images or annotations that are not there: refuse, or leave out and count."
    )
    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")
    seed: Integer = Field(default=0, description="Seed that samples the validation images.")


class DavisData(DataSection):
    """DAVIS 2016 or 2017: frames of short videos with the mask of each object."""

    kind: Literal["davis"] = "davis"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "DAVIS", ("JPEGImages/*/*/*.jpg", "Annotations/*/*/*.png"), "davis-appearance",
        ("data.year=2017", "data.split.kind=seed"),
        "for the same points in two frames: `gensight annotate tracks`, then the recipe davis-correspondence",
    )  # fmt: skip
    root: Location = Field(description="Folder that holds JPEGImages.")
    year: Literal[2016, 2017] = Field(
        default=2017, description="Edition: where its lists are, and whether objects are merged (2016) or separate."
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


class RgbdData(DataSection):
    """RGB-D frames: NAME.color.png, NAME.depth.png, NAME.pose.txt, camera-intrinsics.txt (7-Scenes and the like)."""

    kind: Literal["rgbd"] = "rgbd"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "RGB-D frames", ("**/*depth.*", "**/*color.*"), "seven-scenes-depth",
        ("data.colour_intrinsics=null", "data.colour_offset=[0, 0, 0]"),
        "7-Scenes itself needs data.colour_intrinsics and data.colour_offset as seven-scenes-depth has them; "
        "where poses are known, seven-scenes-correspondence learns the same points in two frames",
    )  # fmt: skip
    root: Location = Field(description="Folder of the frames, or of folders of frames.")
    depth_unit: Positive = Field(default=0.001, description="Metres per unit of the depth images.")
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


class NyuData(OfficialLists):
    """NYU Depth V2: the labelled .mat file, or the raw layout with nyu_train.txt and nyu_test.txt."""

    kind: Literal["nyu"] = "nyu"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "NYU Depth V2 in pairs", ("nyu_train.txt", "nyu_test.txt"), "seven-scenes-depth", ("encoding.far=10.0",)
    )
    root: Location = Field(description="nyu_depth_v2_labeled.mat, or the folder that the lists of pairs lie in.")
    splits: Location | None = Field(
        default=None, description="The .mat file of the official split; none: splits.mat beside the labelled file."
    )
    raw_depth: Flag = Field(
        default=False,
        description="Of the labelled file: the sensor's own depth, with holes, instead of the filled one.",
    )
    missing: Missing = Field(
        default="error", description="Of the raw layout, pairs that are not there: refuse, or leave out and count."
    )


class SunRgbdData(OfficialLists):
    """SUN RGB-D: rooms in colour and metric depth, with the kind of room."""

    kind: Literal["sunrgbd"] = "sunrgbd"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "SUN RGB-D", ("SUNRGBDtoolbox", "SUNRGBD"), "seven-scenes-depth", ("encoding.far=10.0",)
    )
    root: Location = Field(description="Folder that holds SUNRGBD and, for the official parts, SUNRGBDtoolbox.")
    train: Name = Field(default="train", description="Part to train on, or a .txt list of pairs.")
    test: Name | None = Field(default="test", description="Part that is scored, or a .txt list; none: nothing is.")
    without_nyu: Flag = Field(default=True, description="Leave out the images that are NYUv2's.")
    depth: Literal["filled", "raw"] = Field(default="filled", description="depth_bfx, or the sensor's own.")
    missing: Missing = Field(
        default="error", description="Scenes whose files are not there: refuse, or leave out and count."
    )


class Ade20kData(OfficialLists):
    """ADE20K: SceneParsing with 150 classes, or the full data set of 2021."""

    kind: Literal["ade20k"] = "ade20k"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "ADE20K SceneParsing", ("annotations/training", "images/training"), None
    )
    root: Location = Field(description="Folder such as ADEChallengeData2016 or ADE20K_2021_17_01.")
    train: Name = Field(default="training", description="Part to train on.")
    test: Name | None = Field(default="validation", description="Part that is scored; none: nothing is.")
    missing: Missing = Field(
        default="error", description="Of SceneParsing, images without an annotation: refuse, or leave out and count."
    )
