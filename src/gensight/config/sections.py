"""The bases of sections that have kinds: what a kind must state about itself, once, for the whole package.

- `EncodingSection`: a target; its facts are an `EncodingFacts`.
- `BackboneSection`: a pretrained model; whether it is a diffusion model, and whether it stays as it is.
- `MethodSection`: a way to learn; which encodings it takes, and what it needs of the rest of the recipe.
- `DataSection`: a data set; whether it has labels, and by which files its folder is recognised.

The other sections here are fields that several kinds share. A fact that depends on a field is a property. Facts are
read from the section: there are no tables by kind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import Field, model_validator

from gensight.config.fields import Flag, FolderOrId, ImageSize, Name, Positive, PositiveInteger, Section, SkeletonName
from gensight.config.protocols import Baseline, Protocol

Items = Literal["image", "head", "pair", "triplet", "words"]
Views = Literal["whole-or-box", "gaze", "pair"]
OutputFiles = Literal["maps", "keypoints", "gaze", "labels", "answers"]


@dataclass(frozen=True, kw_only=True)
class EncodingFacts:
    """Facts about an encoding that are needed before it is imported.

    Attributes:
        finds: What its predictions are, as the end of a sentence: `Finds ...`.
        items: What a prediction is about: `image`: an image, or one subject in it, as set by view.crop; `head`: one
            head in an image; `pair`, `triplet`: images that are compared; `words`: an image and an instruction.
        truths: What it needs of samples (`readers.puppets.TRUTHS`).
        views: How its images are shown: `whole-or-box`: as set by view.crop; `gaze`: the scene and a close-up of the
            head; `pair`: two images of one subject.
        files: What `gensight predict` writes: `maps` (PNG files), tables of `keypoints`, `gaze` and `labels`, or
            `answers` to instructions.
        protocols: Scores that can be had.
        usual_protocols: Those taken where a recipe names none.
        baselines: Baselines that can be had.
        usual_baselines: Those taken where a recipe names none.
        pose_teachers: Whether a pose model (`teacher:MODEL`) can be a baseline.
        label_of_objects: Whether an image whose objects are all of one class counts as labelled with that class.
    """

    finds: str
    items: Items = "image"
    truths: tuple[str, ...]
    views: Views = "whole-or-box"
    files: tuple[OutputFiles, ...]
    protocols: tuple[Protocol, ...]
    usual_protocols: tuple[Protocol, ...]
    baselines: tuple[Baseline, ...]
    usual_baselines: tuple[Baseline, ...]
    pose_teachers: bool = False
    label_of_objects: bool = False

    @staticmethod
    def of_parts(parts: Sequence["EncodingFacts"]) -> "EncodingFacts":
        """The facts of several encodings that are learned together; `items` and `views` are those of the first one."""
        joined: dict[str, Any] = {
            name: tuple(dict.fromkeys(value for part in parts for value in getattr(part, name)))
            for name in ("truths", "files", "protocols", "usual_protocols", "baselines", "usual_baselines")
        }
        return replace(
            parts[0],
            finds=" and ".join(dict.fromkeys(part.finds for part in parts)),
            pose_teachers=any(part.pose_teachers for part in parts),
            label_of_objects=any(part.label_of_objects for part in parts),
            **joined,
        )


class EncodingSection(Section):
    """A target. `kind_facts` is what every section of the kind has in common; `facts` are those of this section."""

    kind: str  # its place is first among the fields
    kind_facts: ClassVar[EncodingFacts]

    @property
    def facts(self) -> EncodingFacts:
        """The kind's facts, but for those that depend on a field."""
        return self.kind_facts

    @property
    def described(self) -> str:
        """How messages name it: its kind, and the fields that its facts depend on."""
        return f"encoding.kind={kind_of(type(self))}"

    @property
    def grid_stride(self) -> int | None:
        """Input pixels per cell of its maps; None where it has no maps, or maps of a size of their own."""
        return getattr(self, "stride", None)

    @property
    def skeleton_name(self) -> str | None:
        """Which keypoints it is about: a skeleton's name, or `data`; None where it is about none."""
        return getattr(self, "skeleton", None)

    @property
    def close_up(self) -> ImageSize | None:
        """Height and width of the close-ups of views of gaze; None: as view.size."""
        return None

    def missing_vocabulary(self) -> dict[str, str]:
        """Its fields of class names that are left to the data -> what to do where the data has none."""
        return {}

    def check(self, recipe: Any) -> None:
        """Raises ValueError where the rest of the recipe (a RunConfig) does not suit it."""

    def why_features_change(self, view_size: ImageSize) -> str | None:
        """Why features of its images can't be cached, as `key ...`; None where they can."""
        return None


class GridSection(EncodingSection):
    """A target with maps on a grid of its own."""

    stride: PositiveInteger = Field(default=4, description="Input pixels per cell.")


class KeypointSection(EncodingSection):
    """A target that is keypoints, or has some."""

    skeleton: SkeletonName = Field(
        default="data", description="Which keypoints, in which order; data: the ones that the data set has."
    )
    mirror_pairs: tuple[tuple[Name, Name], ...] | None = Field(
        default=None, description="Left-right partners, [[left, right], ...]; none: those that their names show."
    )


class ImageLabels(Section):
    """Of which one answer is what the whole image shows."""

    labels: tuple[Name, ...] | None = Field(
        default=None, description="Classes of whole images; none: those of the data, which the run then keeps."
    )


class DepthRange(Section):
    """Whose depths lie between two bounds."""

    near: Positive = Field(default=0.1, description="Nearest depth that can be represented, in metres.")
    far: Positive = Field(default=10.0, description="Farthest depth that can be represented, in metres.")

    @model_validator(mode="after")
    def _ordered(self) -> "DepthRange":
        if self.near >= self.far:
            raise ValueError(f"near={self.near:g} must be smaller than far={self.far:g}")
        return self


class LandmarkCount(Section):
    """Of landmarks that are learned without labels."""

    num_landmarks: PositiveInteger = Field(default=30, description="How many landmarks there are.")


class BackboneSection(Section):
    """A pretrained model, or a network in its place.

    Attributes:
        is_diffusion: Whether it is a diffusion model, with text, noise levels and layers to choose.
    """

    kind: str
    is_diffusion: ClassVar[bool] = False

    def why_features_change(self) -> str | None:
        """Why its features can't be cached, as `key ...`; None where they can."""
        trainable = getattr(self, "trainable", "frozen")
        return None if trainable == "frozen" else f"backbone.trainable={trainable} changes the backbone"


class PretrainedSection(BackboneSection):
    """A model whose weights were trained before."""

    random_weights: Flag = Field(
        default=False, description="Same architecture with random weights: the baseline that pretraining must beat."
    )
    layers: Literal["preset"] | Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Feature maps to read, by name; none: all decoder blocks, an encoder's stages or each quarter of "
        "its blocks; preset: those that `gensight probe` found best, at the timestep that goes with them.",
    )


class EncoderSection(PretrainedSection):
    """An image encoder, without text or noise levels."""

    trainable: Literal["frozen", "full"] = Field(
        default="full", description="full: everything learns; frozen: only what is put on top."
    )


class HubSection(PretrainedSection):
    """A model of a hub."""

    id: FolderOrId = Field(
        description="Hub id, or folder of a saved model; with random weights also resnet-50 or vit-b-16 (transformers)."
    )


class MethodSection(Section):
    """A way to learn.

    Attributes:
        encodings: Kinds of encodings that it takes.
        needs_labels: Whether it learns from labels.
    """

    kind: str
    encodings: ClassVar[tuple[str, ...]]
    needs_labels: ClassVar[bool] = True

    @property
    def side_targets(self) -> tuple[str, ...]:
        """What it needs from the encoding beside the target: `background`, `shown`."""
        return ()

    def check(self, recipe: Any) -> None:
        """Raises ValueError where the rest of the recipe (a RunConfig) does not suit it."""

    def why_features_change(self) -> str | None:
        """Why it can't learn from cached features, as `key ...`; None where it can."""
        return f"method.kind={kind_of(type(self))} looks at pixels"


class NoiseLevels(Section):
    """A way to learn from several levels of noise."""

    zero_terminal_snr: Flag = Field(
        default=False, description="Whether the noise schedule is changed so that its last level is pure noise."
    )


@dataclass(frozen=True)
class FolderLayout:
    """How a data set's folder is recognised, and what is learned from it.

    Attributes:
        title: What the data set is called.
        marks: Patterns below its folder; each must match something, or one of those that `|` divides.
        recipe: The packaged recipe that its own is made from; None where none trains on it directly.
        changes: What this data set needs otherwise, as `section.key=value`.
        advice: What else can be done with it.
    """

    title: str
    marks: tuple[str, ...]
    recipe: str | None
    changes: tuple[str, ...] = ()
    advice: str = ""


class DataSection(Section):
    """A data set. The first line of its docstring is what `gensight datasets list` prints of it.

    Attributes:
        labelled: Whether it has labels of any sort.
        layout: How `gensight init` recognises it; None where it looks into the files instead, or not at all.
    """

    kind: str  # its place is first among the fields
    labelled: ClassVar[bool] = True
    layout: ClassVar[FolderLayout | None] = None

    @property
    def scored_subset(self) -> str:
        """Which part of the official test set is scored, as scores name it; empty: all of it."""
        return ""


def kind_of(section: type[Section]) -> str:
    """The `kind` of a section's class."""
    return str(section.model_fields["kind"].default)


def members(annotation: Any) -> tuple[type[Any], ...]:
    """The sections that an annotation allows: several for a union."""
    if isinstance(annotation, type):
        return (annotation,) if issubclass(annotation, Section) else ()
    if get_origin(annotation) in (tuple, Literal):
        return ()
    return tuple(member for part in get_args(annotation) for member in members(part))


def kinds(sections: Iterable[type[Section]]) -> dict[str, type[Section]]:
    """`kind` -> its section, for those that have one."""
    return {kind_of(section): section for section in sections if "kind" in section.model_fields}


def kinds_of(union: Any) -> tuple[str, ...]:
    """The kinds of a union, in its order."""
    return tuple(kinds(members(union)))
