"""The `data` section of a recipe: one model per kind of data set, and the ways to split one.

| file | data sets |
|---|---|
| `puppets.py` | puppets: rendered from a seed |
| `keypoints.py` | coco, deeplabcut, label files of annotation tools, bbc-pose, faces, ap10k |
| `frames.py` | folder, video, videos, footage: without labels |
| `scenes.py` | voc, davis, rgbd, nyu, sunrgbd, ade20k: masks, boxes, depth |
| `classes.py` | pets, image-folders |
| `pairs.py` | spair, image-pairs |
| `gaze.py` | gazefollow, video-attention-target, goo |
| `gensight_formats.py` | annotated, instruct-pool: written by gensight |

`splits.py` has the ways to divide one, `stored.py` the fields that several of them share. `Data` is the union of them
all: a new kind is a model in one of these files and a member of the union.
"""

from typing import Annotated

from pydantic import Field

from gensight.config.data.classes import ImageFoldersData, PetsData
from gensight.config.data.frames import FolderData, FootageData, VideoData, VideosData
from gensight.config.data.gaze import GazeFollowData, GooData, VideoAttentionTargetData
from gensight.config.data.gensight_formats import AnnotatedData, InstructPoolData
from gensight.config.data.keypoints import (
    Ap10kData,
    BbcPoseData,
    CocoData,
    CocoPart,
    CvatData,
    DeepLabCutData,
    FacesData,
    LabelFilesData,
    LabelmeData,
    LabelStudioData,
    PointsCsvData,
    PtsData,
    SleapData,
    ViaData,
    YoloData,
)
from gensight.config.data.pairs import ImagePairsData, SpairData
from gensight.config.data.puppets import PuppetsData
from gensight.config.data.scenes import Ade20kData, DavisData, NyuData, RgbdData, SunRgbdData, VocData
from gensight.config.data.splits import (
    BlocksSplit,
    ListsSplit,
    OrderSplit,
    SeedSplit,
    Split,
    VideosSplit,
)

# In the order in which `gensight init` compares a folder with their layouts: the first that fits is taken.
Data = Annotated[
    PuppetsData
    | CocoData
    | DeepLabCutData
    | SleapData
    | LabelmeData
    | ViaData
    | LabelStudioData
    | CvatData
    | YoloData
    | PointsCsvData
    | PtsData
    | FolderData
    | VideoData
    | VideosData
    | FootageData
    | SpairData
    | DavisData
    | VocData
    | BbcPoseData
    | FacesData
    | Ap10kData
    | AnnotatedData
    | GazeFollowData
    | VideoAttentionTargetData
    | GooData
    | NyuData
    | SunRgbdData
    | RgbdData
    | PetsData
    | Ade20kData
    | ImageFoldersData
    | ImagePairsData
    | InstructPoolData,
    Field(discriminator="kind"),
]

__all__ = [
    "Ade20kData",
    "AnnotatedData",
    "Ap10kData",
    "BbcPoseData",
    "BlocksSplit",
    "CocoData",
    "CocoPart",
    "CvatData",
    "Data",
    "DavisData",
    "DeepLabCutData",
    "FacesData",
    "FolderData",
    "FootageData",
    "GazeFollowData",
    "GooData",
    "ImageFoldersData",
    "ImagePairsData",
    "InstructPoolData",
    "LabelFilesData",
    "LabelStudioData",
    "LabelmeData",
    "ListsSplit",
    "NyuData",
    "OrderSplit",
    "PetsData",
    "PointsCsvData",
    "PtsData",
    "PuppetsData",
    "RgbdData",
    "SeedSplit",
    "SleapData",
    "SpairData",
    "Split",
    "SunRgbdData",
    "ViaData",
    "VideoAttentionTargetData",
    "VideoData",
    "VideosData",
    "VideosSplit",
    "VocData",
    "YoloData",
]
