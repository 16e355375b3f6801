"""Images and frames without labels."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.stored import Stepped, StoredData
from gensight.config.fields import Location, PositiveInteger


class FolderData(StoredData):
    """Images without labels, in a folder and the folders in it."""

    kind: Literal["folder"] = "folder"
    root_is: ClassVar[str] = "Folder of the images"
    labelled: ClassVar[bool] = False


class VideoData(Stepped):
    """Frames of one video, without labels."""

    kind: Literal["video"] = "video"
    labelled: ClassVar[bool] = False
    path: Location = Field(description="The video file.")


class VideosData(Stepped, StoredData):
    """Frames of all videos in a folder, without labels."""

    kind: Literal["videos"] = "videos"
    root_is: ClassVar[str] = "Folder of the videos"
    labelled: ClassVar[bool] = False


class FootageData(Stepped, StoredData):
    """Videos and folders of frames of one subject together, without labels."""

    kind: Literal["footage"] = "footage"
    root_is: ClassVar[str] = "A video, or a folder of videos and of folders of frames"
    labelled: ClassVar[bool] = False
    long_side: PositiveInteger | None = Field(
        default=None,
        description="Reduce frames to this many pixels, and keep those of videos in memory: much faster; none: do not.",
    )
