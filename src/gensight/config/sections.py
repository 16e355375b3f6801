"""The bases of sections that have kinds: what a kind must state about itself, once, for the whole package.

- `EncodingSection`: a target; its facts are an `EncodingFacts`.
- `BackboneSection`: a pretrained model; whether it is a diffusion model, and whether it stays as it is.
- `MethodSection`: a way to learn; which encodings it takes, and what it needs of the rest of the recipe.
- `DataSection`: a data set; whether it has labels, and by which files its folder is recognised.

A fact that depends on a field is a property. Facts are read from the section: there are no tables by kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from gensight.config.fields import ImageSize, Section
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

    @classmethod
    def of_parts(cls, parts: Sequence["EncodingFacts"]) -> "EncodingFacts":
        """The facts of several encodings that are learned together; `items` and `views` are those of the first one."""
        first = parts[0]
        return cls(
            finds=" and ".join(dict.fromkeys(part.finds for part in parts)),
            items=first.items,
            truths=_distinct(part.truths for part in parts),
            views=first.views,
            files=_distinct(part.files for part in parts),
            protocols=_distinct(part.protocols for part in parts),
            usual_protocols=_distinct(part.usual_protocols for part in parts),
            baselines=_distinct(part.baselines for part in parts),
            usual_baselines=_distinct(part.usual_baselines for part in parts),
            pose_teachers=any(part.pose_teachers for part in parts),
            label_of_objects=any(part.label_of_objects for part in parts),
        )


def _distinct(groups: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))


class EncodingSection(Section):
    """A target. `kind_facts` is what every section of the kind has in common; `facts` are those of this section."""

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


class BackboneSection(Section):
    """A pretrained model, or a network in its place.

    Attributes:
        is_diffusion: Whether it is a diffusion model, with text, noise levels and layers to choose.
    """

    is_diffusion: ClassVar[bool] = False

    def why_features_change(self) -> str | None:
        """Why its features can't be cached, as `key ...`; None where they can."""
        trainable = getattr(self, "trainable", "frozen")
        return None if trainable == "frozen" else f"backbone.trainable={trainable} changes the backbone"


class MethodSection(Section):
    """A way to learn.

    Attributes:
        encodings: Kinds of encodings that it takes.
        needs_labels: Whether it learns from labels.
    """

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


@dataclass(frozen=True)
class FolderLayout:
    """How a data set's folder is recognised, and what is learned from it.

    Attributes:
        title: What the data set is called.
        marks: Patterns below its folder; each must match something.
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


def members(union: Any) -> tuple[type[Any], ...]:
    """The classes of a union, or of a union with annotations."""
    if isinstance(union, type):
        return (union,)
    first, *others = get_args(union)
    if hasattr(union, "__metadata__"):  # the others are annotations
        return members(first)
    return tuple(member for part in (first, *others) for member in members(part))


def kinds_of(union: Any) -> tuple[str, ...]:
    """The kinds of a union, in its order."""
    return tuple(kind_of(member) for member in members(union))
