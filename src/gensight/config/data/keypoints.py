"""Data sets whose labels are keypoints."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from gensight.config.data.stored import Divided, KeypointLabels, MayLackFiles, OfficialLists, StoredData
from gensight.config.fields import Name, PositiveInteger, Section, Share
from gensight.config.sections import FolderLayout


class CocoPart(Section):
    """One part of a COCO data set."""

    images: Name = Field(description="Folder of the images, from `data.root` or absolute.")
    annotations: Name = Field(description="Json file of the keypoint annotations, from `data.root` or absolute.")


class CocoData(OfficialLists, KeypointLabels):
    """COCO keypoint annotations (json) and their images."""

    kind: Literal["coco"] = "coco"
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
    test_share: Share = Field(
        default=0.2, description="Share of the training images kept for the test, where none is given."
    )


class DeepLabCutData(Divided, KeypointLabels):
    """A DeepLabCut project: config.yaml and labeled-data/*/CollectedData_*.csv or .h5."""

    kind: Literal["deeplabcut"] = "deeplabcut"
    root_is: ClassVar[str] = "Folder of the project (the one with config.yaml)"
    num_labels: PositiveInteger | None = Field(
        default=None, description="Train on this many labelled frames, evenly spaced over the training part; none: all."
    )

    @model_validator(mode="before")
    @classmethod
    def _own_word(cls, values: Any) -> Any:
        """`bodyparts`, as config.yaml calls keypoints, is understood too."""
        if isinstance(values, dict) and "bodyparts" in values and "keypoints" not in values:
            values = {key: value for key, value in values.items() if key != "bodyparts"} | {
                "keypoints": values["bodyparts"]
            }
        return values


class LabelFilesData(Divided, KeypointLabels):
    """Labels as an annotation tool saves them; each tool is a kind. `split.kind=videos` also holds out own parts."""

    root_is: ClassVar[str] = "Folder of the label files and the images or videos that they name, or one label file"


class SleapData(LabelFilesData):
    """SLEAP: .slp, .pkg.slp, analysis h5 and csv."""

    kind: Literal["sleap"] = "sleap"


class LabelmeData(LabelFilesData):
    """labelme: one json per image."""

    kind: Literal["labelme"] = "labelme"


class ViaData(LabelFilesData):
    """VGG Image Annotator: project, json or csv."""

    kind: Literal["via"] = "via"


class LabelStudioData(LabelFilesData):
    """Label Studio: exports JSON and JSON-MIN."""

    kind: Literal["label-studio"] = "label-studio"


class CvatData(LabelFilesData):
    """CVAT: xml for images or video, 1.1."""

    kind: Literal["cvat"] = "cvat"


class YoloData(LabelFilesData):
    """YOLO: labels/*.txt and data.yaml."""

    kind: Literal["yolo"] = "yolo"


class PointsCsvData(LabelFilesData):
    """Tables of points: image, keypoint, x, y, or image, NAME_x, NAME_y ..."""

    kind: Literal["points-csv"] = "points-csv"


class PtsData(LabelFilesData):
    """Points files (.pts) of any number of points, one beside each image."""

    kind: Literal["pts"] = "pts"


class BbcPoseData(StoredData):
    """BBC Pose: sign-language interpreters with seven joints of the upper body."""

    kind: Literal["bbc-pose"] = "bbc-pose"
    root_is: ClassVar[str] = "Folder that holds 1 ... 20 and code"
    layout: ClassVar[FolderLayout | None] = FolderLayout("BBC Pose", ("code/bbcpose.mat", "1"), "landmarks-bbc")
    crop: Literal["training", "evaluation"] = Field(
        default="training",
        description="The subject's box: training, the joints' extent and 60 px to each side; evaluation, 300 x 300 px "
        "around its centre. Both are made from true joints, as published.",
    )


class FacesData(Divided, MayLackFiles):
    """Faces with 68 points: .pts files beside the images, or a csv."""

    kind: Literal["faces"] = "faces"
    root_is: ClassVar[str] = "Folder that holds the images and their points"


class Ap10kData(MayLackFiles):
    """AP-10K: animals of 54 species with 17 keypoints."""

    kind: Literal["ap10k"] = "ap10k"
    root_is: ClassVar[str] = "Folder that holds data and annotations"
    split: Literal[1, 2, 3] = Field(default=1, description="Which of the official divisions.")
    categories: tuple[Name, ...] | None = Field(default=None, min_length=1, description="Species to read; none: all.")
