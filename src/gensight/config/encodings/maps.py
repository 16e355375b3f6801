"""Targets that are a map of the image: edges, depth, surface normals."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from gensight.config.fields import Positive, PositiveInteger
from gensight.config.protocols import TRAINED
from gensight.config.sections import EncodingFacts, EncodingSection


class EdgeImageConfig(EncodingSection):
    """How much of an edge each cell holds."""

    kind: Literal["edge-image"] = "edge-image"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="edges",
        truths=("edges",),
        files=("maps",),
        protocols=("edges-f",),
        usual_protocols=("edges-f",),
        baselines=("mean-map", *TRAINED),
        usual_baselines=("mean-map", "random-weights"),
    )
    channels: Literal[1, 3] = Field(default=1, description="Grey, or the same value three times as published.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")


class DepthImageConfig(EncodingSection):
    """Inverse depth, near is white, scaled to each image's own range: the picture that depth-controlled models take."""

    kind: Literal["depth-image"] = "depth-image"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="depth",
        truths=("depth",),
        files=("maps",),
        protocols=("depth-affine",),
        usual_protocols=("depth-affine",),
        baselines=("mean-map", *TRAINED),
        usual_baselines=("mean-map", "random-weights"),
    )
    channels: Literal[1, 3] = Field(default=3, description="Grey, or the same value three times as published.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")


class DepthMapConfig(EncodingSection):
    """One number per cell: depth in metres, or right up to scale and shift."""

    kind: Literal["depth-map"] = "depth-map"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="depth",
        truths=("depth",),
        files=("maps",),
        protocols=("depth-metric", "depth-median-scaled", "depth-affine"),
        usual_protocols=("depth-metric", "depth-affine"),
        baselines=("mean-map", *TRAINED),
        usual_baselines=("mean-map", "random-weights"),
    )
    depth: Literal["metric", "affine"] = Field(
        default="metric", description="metric: metres; affine: right up to one scale and shift per image."
    )
    near: Positive = Field(default=0.1, description="Nearest depth that can be represented, in metres.")
    far: Positive = Field(default=10.0, description="Farthest depth that can be represented, in metres.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")

    @model_validator(mode="after")
    def _ordered(self) -> "DepthMapConfig":
        if self.near >= self.far:
            raise ValueError(f"near={self.near:g} must be smaller than far={self.far:g}")
        return self


class NormalsConfig(EncodingSection):
    """Which way surfaces face: normals in the camera's frame, from metric depth and intrinsics."""

    kind: Literal["normals"] = "normals"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="which way surfaces face",
        truths=("depth", "camera"),
        files=("maps",),
        protocols=("angular-error",),
        usual_protocols=("angular-error",),
        baselines=("mean-map", *TRAINED),
        usual_baselines=("mean-map", "random-weights"),
    )
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")
