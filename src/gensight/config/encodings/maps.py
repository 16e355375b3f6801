"""Targets that are a map of the image: edges, depth, surface normals."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.protocols import TRAINED, Protocol
from gensight.config.sections import DepthRange, EncodingFacts, GridSection


def _facts(
    finds: str, truths: tuple[str, ...], *protocols: Protocol, usual: tuple[Protocol, ...] = ()
) -> EncodingFacts:
    return EncodingFacts(
        finds=finds,
        truths=truths,
        files=("maps",),
        protocols=protocols,
        usual_protocols=usual or protocols,
        baselines=("mean-map", *TRAINED),
        usual_baselines=("mean-map", "random-weights"),
    )


class _PictureConfig(GridSection):
    channels: Literal[1, 3] = Field(default=1, description="Grey, or the same value three times as published.")


class EdgeImageConfig(_PictureConfig):
    """How much of an edge each cell holds."""

    kind: Literal["edge-image"] = "edge-image"
    kind_facts: ClassVar[EncodingFacts] = _facts("edges", ("edges",), "edges-f")


class DepthImageConfig(_PictureConfig):
    """Inverse depth, near is white, scaled to each image's own range: the picture that depth-controlled models take."""

    kind: Literal["depth-image"] = "depth-image"
    channels: Literal[1, 3] = Field(default=3, description="Grey, or the same value three times as published.")
    kind_facts: ClassVar[EncodingFacts] = _facts("depth", ("depth",), "depth-affine")


class DepthMapConfig(DepthRange, GridSection):
    """One number per cell: depth in metres, or right up to scale and shift."""

    kind: Literal["depth-map"] = "depth-map"
    kind_facts: ClassVar[EncodingFacts] = _facts(
        "depth",
        ("depth",),
        "depth-metric",
        "depth-median-scaled",
        "depth-affine",
        usual=("depth-metric", "depth-affine"),
    )
    depth: Literal["metric", "affine"] = Field(
        default="metric", description="metric: metres; affine: right up to one scale and shift per image."
    )


class NormalsConfig(GridSection):
    """Which way surfaces face: normals in the camera's frame, from metric depth and intrinsics."""

    kind: Literal["normals"] = "normals"
    kind_facts: ClassVar[EncodingFacts] = _facts("which way surfaces face", ("depth", "camera"), "angular-error")
