"""Data sets of masks, boxes and depth."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import ListsSplit, OrderSplit, Split
from gensight.config.data.stored import Divided, ListsWithTest, MayLackFiles, NamedLists
from gensight.config.fields import Name, Number, Positive, Text
from gensight.config.sections import FolderLayout


class VocData(NamedLists, MayLackFiles):
    """PASCAL VOC 2012: boxes, and masks where there are some."""

    kind: Literal["voc"] = "voc"
    root_is: ClassVar[str] = "Folder that holds JPEGImages, such as VOCdevkit/VOC2012"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "PASCAL VOC", ("JPEGImages", "Annotations/*.xml", "ImageSets"), None,
        advice="`gensight datasets voc-to-coco` writes its boxes as COCO json",
    )  # fmt: skip
    task: Literal["Main", "Segmentation"] = Field(
        default="Main", description="Folder of the lists below ImageSets; Segmentation: only images that have masks."
    )


class DavisData(MayLackFiles):
    """DAVIS 2016 or 2017: frames of short videos with the mask of each object."""

    kind: Literal["davis"] = "davis"
    root_is: ClassVar[str] = "Folder that holds JPEGImages"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "DAVIS", ("JPEGImages/*/*/*.jpg", "Annotations/*/*/*.png"), "davis-appearance",
        ("data.year=2017", "data.split.kind=seed"),
        "for the same points in two frames: `gensight annotate tracks`, then the recipe davis-correspondence",
    )  # fmt: skip
    year: Literal[2016, 2017] = Field(
        default=2017, description="Edition: where its lists are, and whether objects are merged (2016) or separate."
    )
    split: Annotated[ListsSplit | Split, Field(discriminator="kind")] = Field(
        default=ListsSplit(),
        description="How frames are divided; without lists, hold out whole sequences (kind=videos).",
    )


Camera = tuple[Positive, Positive, Number, Number]


class RgbdData(Divided):
    """RGB-D frames: NAME.color.png, NAME.depth.png, NAME.pose.txt, camera-intrinsics.txt (7-Scenes and the like)."""

    kind: Literal["rgbd"] = "rgbd"
    root_is: ClassVar[str] = "Folder of the frames, or of folders of frames"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "RGB-D frames", ("**/*depth.*", "**/*color.*"), "seven-scenes-depth",
        ("data.colour_intrinsics=null", "data.colour_offset=[0, 0, 0]"),
        "7-Scenes itself needs data.colour_intrinsics and data.colour_offset as seven-scenes-depth has them; "
        "where poses are known, seven-scenes-correspondence learns the same points in two frames",
    )  # fmt: skip
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
    split: Split = Field(
        default=OrderSplit(),
        description="How frames are divided: neighbours look alike, so by time (order) or by folder (videos).",
    )


class NyuData(ListsWithTest, MayLackFiles):
    """NYU Depth V2: the labelled .mat file, or the raw layout with nyu_train.txt and nyu_test.txt."""

    kind: Literal["nyu"] = "nyu"
    root_is: ClassVar[str] = (
        "nyu_depth_v2_labeled.mat with splits.mat beside it, or the folder that the lists of pairs lie in"
    )
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "NYU Depth V2 in pairs", ("nyu_train.txt", "nyu_test.txt"), "seven-scenes-depth", ("encoding.far=10.0",)
    )


class SunRgbdData(ListsWithTest, MayLackFiles):
    """SUN RGB-D without NYUv2's images: rooms in colour and metric depth, with the kind of room."""

    kind: Literal["sunrgbd"] = "sunrgbd"
    root_is: ClassVar[str] = "Folder that holds SUNRGBD and SUNRGBDtoolbox"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "SUN RGB-D", ("SUNRGBDtoolbox", "SUNRGBD"), "seven-scenes-depth", ("encoding.far=10.0",)
    )


class Ade20kData(NamedLists, MayLackFiles):
    """ADE20K: SceneParsing with 150 classes, or the full data set of 2021."""

    kind: Literal["ade20k"] = "ade20k"
    root_is: ClassVar[str] = "Folder such as ADEChallengeData2016 or ADE20K_2021_17_01"
    layout: ClassVar[FolderLayout | None] = FolderLayout(
        "ADE20K SceneParsing", ("annotations/training", "images/training"), None
    )
    train: Text = "training"
    test: Name | None = "validation"
