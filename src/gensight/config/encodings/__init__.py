"""The `encoding` section of a recipe: what is predicted, and how it is laid out in tensors.

| file | encodings |
|---|---|
| `keypoints.py` | heatmap, pose-image, points |
| `maps.py` | edge-image, depth-image, depth-map, normals |
| `pairs.py` | correspondence, appearance, landmark-pairs |
| `../gaze.py`, `../instruct.py`, `../classifier.py` | gaze, painted, class: beside their methods |

A new encoding is a section in one of these files, with its facts, and one name in a union here: in `Readable` if a
small head on a backbone's features can learn it (the readout method; it can then be a part of a joint one too), else in
`Single`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from gensight.config.classifier import ClassConfig
from gensight.config.encodings.keypoints import HeatmapConfig, PointsConfig, PoseImageConfig
from gensight.config.encodings.maps import DepthImageConfig, DepthMapConfig, EdgeImageConfig, NormalsConfig
from gensight.config.encodings.pairs import AppearanceConfig, CorrespondenceConfig, LandmarkPairsConfig
from gensight.config.fields import ImageSize, Name
from gensight.config.gaze import GazeMapConfig
from gensight.config.instruct import PaintedConfig
from gensight.config.sections import EncodingFacts, EncodingSection

Readable = (
    HeatmapConfig
    | PoseImageConfig
    | EdgeImageConfig
    | DepthImageConfig
    | DepthMapConfig
    | NormalsConfig
    | CorrespondenceConfig
    | AppearanceConfig
)
Single = Readable | LandmarkPairsConfig | PointsConfig | GazeMapConfig | PaintedConfig | ClassConfig


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


class JointConfig(EncodingSection):
    """Several targets, each with a head of its own, read off one backbone pass."""

    kind: Literal["joint"] = "joint"
    parts: dict[Name, Annotated[Readable, Field(discriminator="kind")]] = Field(
        min_length=1, description="Name -> encoding."
    )
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

    @property
    def facts(self) -> EncodingFacts:
        """Those of all parts."""
        return EncodingFacts.of_parts([part.facts for part in self.parts.values()])

    def why_features_change(self, view_size: ImageSize) -> str | None:
        levels = (part for part, level in self.timesteps.items() if level != "clean")
        return next((f"encoding.timesteps.{part} samples new noise at each step" for part in levels), None)


Encoding = Annotated[Single | JointConfig, Field(discriminator="kind")]


def parts_of(encoding: Single | JointConfig) -> dict[str, Single]:
    """Name -> encoding: the parts of a joint one, else the encoding itself by its kind."""
    return dict(encoding.parts) if isinstance(encoding, JointConfig) else {encoding.kind: encoding}


def mirror_pairs_of(encoding: Single | JointConfig) -> tuple[tuple[str, str], ...] | None:
    """The left-right partners that a recipe gives; None where it leaves them to the names."""
    given = (getattr(part, "mirror_pairs", None) for part in parts_of(encoding).values())
    return next((pairs for pairs in given if pairs is not None), None)


__all__ = [
    "AppearanceConfig",
    "CorrespondenceConfig",
    "DepthImageConfig",
    "DepthMapConfig",
    "EdgeImageConfig",
    "Encoding",
    "HeatmapConfig",
    "JointConfig",
    "LandmarkPairsConfig",
    "NormalsConfig",
    "PointsConfig",
    "PoseImageConfig",
    "Readable",
    "Single",
    "Timesteps",
    "parts_of",
]
