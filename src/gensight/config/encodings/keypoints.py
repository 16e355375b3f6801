"""Targets that are keypoints: heatmaps, a skeleton image, coordinates."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.fields import Positive, PositiveInteger, SkeletonName
from gensight.config.protocols import TRAINED, Protocol
from gensight.config.sections import EncodingFacts, EncodingSection

KEYPOINT_PROTOCOLS: tuple[Protocol, ...] = (
    "pck-box", "mean-px", "coco-oks", "pck-torso", "pckh", "readout-guidance-2024", "rmse-px", "median-px", "bbc-6px",
)  # fmt: skip


class HeatmapConfig(EncodingSection):
    """One heatmap per keypoint."""

    kind: Literal["heatmap"] = "heatmap"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="keypoints",
        truths=("keypoints", "boxes"),
        files=("maps", "keypoints"),
        protocols=KEYPOINT_PROTOCOLS,
        usual_protocols=("pck-box", "mean-px"),
        baselines=("mean-position", *TRAINED),
        usual_baselines=("mean-position", "random-weights"),
        pose_teachers=True,
    )
    skeleton: SkeletonName = Field(
        default="data", description="Which keypoints, in which order; data: the ones that the data set has."
    )
    sigma: Positive = Field(
        default=0.0625, le=1, description="Width of the Gaussian, as a share of the heatmap's side."
    )
    stride: PositiveInteger = Field(default=4, description="Input pixels per heatmap cell.")
    decoder: Literal["dark", "argmax", "soft-argmax"] = Field(
        default="dark", description="How a position is decoded from a heatmap; argmax is exact to half a cell only."
    )


class PoseImageConfig(EncodingSection):
    """A skeleton image in the colours of OpenPose, as pose-controlled image models take it."""

    kind: Literal["pose-image"] = "pose-image"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="a skeleton image",
        truths=("keypoints", "boxes"),
        files=("maps", "keypoints"),
        protocols=KEYPOINT_PROTOCOLS,
        usual_protocols=("pck-box", "mean-px"),
        baselines=("mean-position", "mean-map", *TRAINED),
        usual_baselines=("mean-position", "random-weights"),
        pose_teachers=True,
    )
    skeleton: SkeletonName = Field(default="openpose-18", description="Which keypoints are drawn.")
    instances: Literal["all", "subject"] = Field(
        default="subject", description="all: everybody in the image; subject: the one that the view is cropped to."
    )
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell of the drawing.")

    @property
    def facts(self) -> EncodingFacts:
        """With all instances, a prediction is about everybody in the image, not about one subject."""
        if self.instances == "subject":
            return self.kind_facts
        return replace(
            self.kind_facts,
            protocols=("coco-oks",),
            usual_protocols=("coco-oks",),
            baselines=("mean-map", *TRAINED),
            usual_baselines=("random-weights",),
            pose_teachers=False,
        )

    @property
    def described(self) -> str:
        return super().described + (" and instances=all" if self.instances == "all" else "")


class PointsConfig(EncodingSection):
    """Keypoints as numbers: x and y as shares of the view."""

    kind: Literal["points"] = "points"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="keypoints",
        truths=("keypoints", "boxes"),
        files=("keypoints",),
        protocols=KEYPOINT_PROTOCOLS,
        usual_protocols=("mean-px", "median-px"),
        baselines=("mean-position",),
        usual_baselines=("mean-position",),
    )
    skeleton: SkeletonName = Field(
        default="data", description="Which keypoints, in which order; data: the ones that the data set has."
    )
