"""Images and frames without labels."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.fields import Flag, Location, PositiveInteger
from gensight.config.sections import DataSection


class FolderData(DataSection):
    """Images without labels, in a folder."""

    kind: Literal["folder"] = "folder"
    labelled: ClassVar[bool] = False
    root: Location = Field(description="Folder of the images.")
    recursive: Flag = Field(default=True, description="Whether to look in sub-folders as well.")


class VideoData(DataSection):
    """Frames of one video, without labels."""

    kind: Literal["video"] = "video"
    labelled: ClassVar[bool] = False
    path: Location = Field(description="The video file.")
    step: PositiveInteger = Field(default=1, description="Take every k-th frame.")


class VideosData(DataSection):
    """Frames of all videos in a folder, without labels."""

    kind: Literal["videos"] = "videos"
    labelled: ClassVar[bool] = False
    root: Location = Field(description="Folder of the videos.")
    step: PositiveInteger = Field(default=1, description="Take every k-th frame of each video.")


class FootageData(DataSection):
    """Videos and folders of frames of one subject together, without labels."""

    kind: Literal["footage"] = "footage"
    labelled: ClassVar[bool] = False
    root: Location = Field(description="A video, or a folder of videos and of folders of frames.")
    step: PositiveInteger = Field(default=1, description="Take every k-th frame of each.")
    long_side: PositiveInteger | None = Field(
        default=None,
        description="Reduce frames to this many pixels, and keep those of videos in memory: much faster; none: do not.",
    )
