"""The `encoding` section of a recipe: what is asked of an image, and how the answer is laid out in tensors."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from gensight.config.classifier import ClassConfig
from gensight.config.fields import Name, Positive, PositiveInteger, Section, SkeletonName
from gensight.config.gaze import GazeMapConfig
from gensight.config.instruct import PaintedConfig


def _timesteps(value: Any) -> str | tuple[int, ...]:
    numbers = isinstance(value, list | tuple) and bool(value)
    if numbers and all(type(number) is int and 0 <= number <= 999 for number in value):
        return tuple(value)
    if value in ("clean", "random"):
        return str(value)
    raise ValueError("must be `clean`, `random`, or a list of timesteps from 0 to 999")


def _plain(value: str | tuple[int, ...]) -> str | list[int]:
    return value if isinstance(value, str) else list(value)


Timesteps = Annotated[Literal["clean", "random"] | tuple[int, ...], PlainValidator(_timesteps), PlainSerializer(_plain)]


class HeatmapConfig(Section):
    """One heatmap per keypoint."""

    kind: Literal["heatmap"] = "heatmap"
    skeleton: SkeletonName = Field(
        default="data", description="Which keypoints, in which order; data: the ones that the data set has."
    )
    sigma: Positive = Field(
        default=0.0625, le=1, description="Width of the Gaussian, as a share of the heatmap's side."
    )
    stride: PositiveInteger = Field(default=4, description="Input pixels per heatmap cell.")
    decoder: Literal["dark", "argmax", "soft-argmax"] = Field(
        default="dark", description="How a place is read off a heatmap; argmax is exact to half a cell only."
    )


class PoseImageConfig(Section):
    """A drawn skeleton in the colours of OpenPose, as pose-controlled image models take it."""

    kind: Literal["pose-image"] = "pose-image"
    skeleton: SkeletonName = Field(default="openpose-18", description="Which keypoints are drawn.")
    instances: Literal["all", "subject"] = Field(
        default="subject", description="all: everybody in the image; subject: the one that the view is cropped to."
    )
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell of the drawing.")


class EdgeImageConfig(Section):
    """How much of an edge each cell holds."""

    kind: Literal["edge-image"] = "edge-image"
    channels: Literal[1, 3] = Field(default=1, description="Grey, or the same value three times as published.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")


class DepthImageConfig(Section):
    """Inverse depth, near is white, scaled to each image's own range: the picture that depth-controlled models take."""

    kind: Literal["depth-image"] = "depth-image"
    channels: Literal[1, 3] = Field(default=3, description="Grey, or the same value three times as published.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")


class DepthMapConfig(Section):
    """One number per cell: depth in metres, or right up to scale and shift."""

    kind: Literal["depth-map"] = "depth-map"
    depth: Literal["metric", "affine"] = Field(
        default="metric", description="metric: metres; affine: right up to one scale and shift per image."
    )
    near: Positive = Field(default=0.1, description="Nearest depth that can be told, in metres.")
    far: Positive = Field(default=10.0, description="Farthest depth that can be told, in metres.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")

    @model_validator(mode="after")
    def _ordered(self) -> "DepthMapConfig":
        if self.near >= self.far:
            raise ValueError(f"near={self.near:g} must be smaller than far={self.far:g}")
        return self


_Distance = tuple[PositiveInteger, PositiveInteger]


class CorrespondenceConfig(Section):
    """Descriptors by which the same point is found in another image."""

    kind: Literal["correspondence"] = "correspondence"
    distance: _Distance = Field(
        default=(2, 23), description="Fewest and most frames between the two images, where the data defines no pairs."
    )
    num_points: PositiveInteger = Field(default=128, description="Most points compared in one pair.")
    pairs_per_sample: PositiveInteger = Field(default=1, description="Pairs that each image begins.")
    stride: PositiveInteger = Field(default=4, description="Input pixels per cell of the descriptors.")


class AppearanceConfig(Section):
    """Descriptors by which images of the same thing are told from images of another."""

    kind: Literal["appearance"] = "appearance"
    distance: _Distance = Field(default=(1, 1000), description="Fewest and most frames between anchor and positive.")
    region: Literal["image", "box", "mask"] = Field(default="image", description="What is compared.")
    negative: Literal["other-group", "variant"] = Field(
        default="other-group",
        description="other-group: an image of another video or scene; variant: an altered copy of the anchor.",
    )
    colours: Literal["own", "varied"] = Field(
        default="own",
        description="varied: each image's hues and light are changed by chance, so that colours tell little.",
    )
    stride: PositiveInteger = Field(default=8, description="Input pixels per cell of the descriptors.")


SinglePart = Annotated[
    HeatmapConfig
    | PoseImageConfig
    | EdgeImageConfig
    | DepthImageConfig
    | DepthMapConfig
    | CorrespondenceConfig
    | AppearanceConfig,
    Field(discriminator="kind"),
]


class LandmarkPairsConfig(Section):
    """Two images of one subject, from which a method learns landmarks of its own."""

    kind: Literal["landmark-pairs"] = "landmark-pairs"
    num_landmarks: PositiveInteger = Field(default=30, description="How many landmarks to learn.")
    pairs: Literal["temporal", "warped", "both"] = Field(
        default="temporal", description="The other image: another frame of the video, a warp of the frame, or either."
    )
    distance: tuple[PositiveInteger, PositiveInteger] = Field(
        default=(3, 40), description="Fewest and most frames between the two images of a temporal pair."
    )
    pairs_per_sample: PositiveInteger = Field(default=4, description="Partners drawn for each frame.")


class PointsConfig(Section):
    """Keypoints as numbers: x and y as shares of the view."""

    kind: Literal["points"] = "points"
    skeleton: SkeletonName = Field(
        default="data", description="Which keypoints, in which order; data: the ones that the data set has."
    )


class JointConfig(Section):
    """Several targets, each with a head of its own, read off one backbone pass."""

    kind: Literal["joint"] = "joint"
    parts: dict[Name, SinglePart] = Field(min_length=1, description="Name -> encoding.")
    timesteps: dict[Name, Timesteps] = Field(
        default={}, description="Noise levels of single parts, where they differ from method.timesteps."
    )

    @model_validator(mode="after")
    def _parts_are_named(self) -> "JointConfig":
        unknown = sorted(set(self.timesteps) - set(self.parts))
        if unknown:
            raise ValueError(f"timesteps names unknown parts: {', '.join(unknown)}; there are {', '.join(self.parts)}")
        odd = [name for name in self.parts if "/" in name or "." in name]
        if odd:
            raise ValueError(f"a part's name holds no `/` and no `.`: {', '.join(odd)}")
        return self


Encoding = Annotated[
    HeatmapConfig
    | PoseImageConfig
    | EdgeImageConfig
    | DepthImageConfig
    | DepthMapConfig
    | CorrespondenceConfig
    | AppearanceConfig
    | LandmarkPairsConfig
    | PointsConfig
    | GazeMapConfig
    | PaintedConfig
    | ClassConfig
    | JointConfig,
    Field(discriminator="kind"),
]
Single = (
    HeatmapConfig
    | PoseImageConfig
    | EdgeImageConfig
    | DepthImageConfig
    | DepthMapConfig
    | CorrespondenceConfig
    | AppearanceConfig
    | LandmarkPairsConfig
    | PointsConfig
    | GazeMapConfig
    | PaintedConfig
    | ClassConfig
)


def parts_of(encoding: Single | JointConfig) -> dict[str, Single]:
    """Name -> encoding: the parts of a joint one, else the encoding itself by its kind."""
    return dict(encoding.parts) if isinstance(encoding, JointConfig) else {encoding.kind: encoding}
