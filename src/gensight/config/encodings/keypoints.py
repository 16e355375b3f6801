"""Targets that are keypoints: heatmaps, a skeleton image, coordinates."""

from dataclasses import replace
from typing import ClassVar, Literal, get_args

from pydantic import Field

from gensight.config.fields import Positive, SkeletonName
from gensight.config.protocols import TRAINED, KeypointProtocol, Protocol
from gensight.config.sections import EncodingFacts, GridSection, KeypointSection

KEYPOINT_PROTOCOLS: tuple[Protocol, ...] = get_args(KeypointProtocol)
_FACTS = EncodingFacts(
    finds="keypoints",
    truths=("keypoints", "boxes"),
    files=("maps", "keypoints"),
    protocols=KEYPOINT_PROTOCOLS,
    usual_protocols=("pck-box", "mean-px"),
    baselines=("mean-position", *TRAINED),
    usual_baselines=("mean-position", "random-weights"),
    pose_teachers=True,
)


class HeatmapConfig(GridSection, KeypointSection):
    """One heatmap per keypoint."""

    kind: Literal["heatmap"] = "heatmap"
    kind_facts: ClassVar[EncodingFacts] = _FACTS
    sigma: Positive = Field(
        default=0.0625, le=1, description="Width of the Gaussian, as a share of the heatmap's side."
    )
    decoder: Literal["dark", "argmax", "soft-argmax"] = Field(
        default="dark", description="How a position is decoded from a heatmap; argmax is exact to half a cell only."
    )


class PoseImageConfig(GridSection):
    """A skeleton image in the colours of OpenPose, as pose-controlled image models take it."""

    kind: Literal["pose-image"] = "pose-image"
    kind_facts: ClassVar[EncodingFacts] = replace(
        _FACTS, finds="a skeleton image", baselines=("mean-position", "mean-map", *TRAINED)
    )
    skeleton: SkeletonName = Field(default="openpose-18", description="Which keypoints are drawn.")
    instances: Literal["all", "subject"] = Field(
        default="subject", description="all: everybody in the image; subject: the one that the view is cropped to."
    )

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


class PointsConfig(KeypointSection):
    """Keypoints as numbers: x and y as shares of the view."""

    kind: Literal["points"] = "points"
    kind_facts: ClassVar[EncodingFacts] = replace(
        _FACTS,
        files=("keypoints",),
        usual_protocols=("mean-px", "median-px"),
        baselines=("mean-position",),
        usual_baselines=("mean-position",),
        pose_teachers=False,
    )
