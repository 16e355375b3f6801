"""The recipe of a training run: `RunConfig`, as `gensight train` and every run folder's config.yaml have it.

Each section is one model. Where a section has kinds (`data`, `backbone` ...), each kind is a model of its own, chosen
by `kind`. Nothing here imports torch, numpy or the rest of the project: assembly/ turns sections into objects.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from gensight.config.classifier import ClassifierConfig
from gensight.config.encoders import ImagenetConfig, TransformersConfig
from gensight.config.encodings import Encoding, HeatmapConfig, JointConfig, Readable, Timesteps
from gensight.config.fields import (
    Flag,
    ImageSize,
    Name,
    NonNegative,
    NonNegativeInteger,
    Number,
    Positive,
    PositiveInteger,
    Precision,
    Section,
    Share,
    Widths,
)
from gensight.config.gaze import GazeConvolutionalConfig, GazeDiffusionConfig, GazeFrozenConfig
from gensight.config.instruct import InstructConfig
from gensight.config.landmarks import LandmarkKeypointsConfig, LandmarksConfig
from gensight.config.protocols import TEACHER, Baseline, Protocol
from gensight.config.recipe import COMMAND, TimeLimit, TrainedRecipe
from gensight.config.sections import (
    BackboneSection,
    HubSection,
    MethodSection,
    PretrainedSection,
    kind_of,
    kinds_of,
    members,
)

TeacherBaseline = Annotated[Name, Field(pattern=f"^{TEACHER}.+")]


class AugmentConfig(Section):
    """Random changes of training images. Everything off by default."""

    rotation: Number = Field(default=0.0, ge=0, le=180, description="Largest rotation, in degrees, either way.")
    scale: tuple[Positive, Positive] = Field(default=(1.0, 1.0), description="Smallest and largest enlargement.")
    translation: Share = Field(default=0.0, description="Largest shift, as a share of the input's height and width.")
    flip: Share = Field(default=0.0, description="Probability of a left-right flip (paired keypoints trade names).")
    brightness: NonNegative = Field(default=0.0, description="Largest relative change of brightness.")
    contrast: NonNegative = Field(default=0.0, description="Largest relative change of contrast.")
    saturation: NonNegative = Field(default=0.0, description="Largest relative change of saturation.")
    hue: Number = Field(default=0.0, ge=0, le=0.5, description="Largest turn of hue, as a share of the colour circle.")
    blur: NonNegative = Field(default=0.0, description="Largest Gaussian blur, its sigma in input pixels.")
    noise: Share = Field(default=0.0, description="Largest standard deviation of added noise; white is 1.")
    crop: Share = Field(
        default=0.0, description="Probability of a random crop that keeps the head and its target (gaze only)."
    )
    head_jitter: Share = Field(
        default=0.0, description="Largest change of a head box, as a share of its side, half at each edge (gaze only)."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "AugmentConfig":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is [smallest, largest], got {list(self.scale)}")
        return self


class ViewConfig(Section):
    """What the network sees of an image."""

    size: ImageSize = Field(default=(128, 128), description="Height and width of the network's input, in pixels.")
    crop: Literal["frame", "stretched-frame", "fitted-frame", "box", "stretched-box"] = Field(
        default="frame",
        description="frame: the whole image; stretched-frame: the same, squashed; fitted-frame: as published editors "
        "see it, the longer side about that of size, sides multiples of 64 (to train, training.batch_size=1); "
        "box: each subject's box, its aspect kept; stretched-box: the box squashed too, as in Readout Guidance.",
    )
    padding: Positive = Field(default=1.25, description="How much larger than the box the crop is, per side length.")
    track: Flag = Field(
        default=False,
        description="Whether the box is found by following the one subject that moves before a camera that stands "
        "still, in place of labelled boxes.",
    )
    augment: AugmentConfig = Field(default=AugmentConfig(), description="Random changes of training images.")

    @model_validator(mode="after")
    def _tracks_boxes(self) -> "ViewConfig":
        if self.track and self.crop not in ("box", "stretched-box"):
            raise ValueError(f"track=true finds boxes, which crop={self.crop} does not look at: set crop=box")
        return self


class _DiffusionConfig(PretrainedSection):
    is_diffusion: ClassVar[bool] = True
    timestep: NonNegativeInteger = Field(
        default=1, description="Timestep passed to the U-Net, 0 (clean) to 999 (noise)."
    )
    trainable: Literal["frozen", "lora", "full"] = Field(
        default="frozen", description="frozen: only the head learns; lora: also low-rank adapters; full: everything."
    )
    lora_rank: PositiveInteger = Field(default=8, description="Rank of the adapters, where `trainable` is lora.")
    time_embedding: Literal["network", "reversed"] = Field(
        default="network",
        description="Timestep passed to the heads; that of the U-Net, or reversed: what the heads that "
        "Readout Guidance released were trained with.",
    )


class TinyConfig(_DiffusionConfig):
    """The small latent diffusion model that comes with the package."""

    kind: Literal["tiny"] = "tiny"


class DiffusersConfig(_DiffusionConfig, HubSection):
    """Any diffusers text-to-image model of the Stable Diffusion 1.x, 2.x and XL families."""

    kind: Literal["diffusers"] = "diffusers"
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32", description="Number type of the frozen U-Net; its autoencoder always runs in float32."
    )


class ScratchConfig(BackboneSection):
    """A plain convolutional encoder, trained from scratch with the head."""

    kind: Literal["scratch"] = "scratch"
    widths: Widths = Field(default=(32, 64, 128, 256), description="Channels at each scale, finest first.")

    def why_features_change(self) -> str:
        return "backbone.kind=scratch is trained"


Backbone = Annotated[
    TinyConfig | DiffusersConfig | ScratchConfig | ImagenetConfig | TransformersConfig, Field(discriminator="kind")
]


class ReadoutConfig(MethodSection):
    """A small network that reads a target off the backbone's features."""

    kind: Literal["readout"] = "readout"
    encodings: ClassVar[tuple[str, ...]] = (*kinds_of(Readable), kind_of(JointConfig))
    projection: PositiveInteger = Field(default=384, description="Channels of the aggregated feature map.")
    bottleneck: PositiveInteger = Field(default=96, description="Channels inside each layer's bottleneck block.")
    widths: tuple[PositiveInteger, PositiveInteger] = Field(
        default=(128, 32), description="Channels of the output head's two hidden layers."
    )
    order: Literal["native", "reference"] = Field(
        default="native",
        description="native: bottleneck at each layer's own resolution; reference: upsample first (slow).",
    )
    time_conditioning: Flag = Field(
        default=True, description="Condition the head on the timestep, where the backbone has one."
    )
    loss: Literal["mse", "published", "cross-entropy", "softmax"] = Field(
        default="mse",
        description="Per heatmap: mse as published; softmax: the place as one choice among cells (learns fastest). "
        "Other targets have a loss of their own; published: drawn images have that of Readout Guidance too, empty and "
        "drawn values pooled over the batch.",
    )
    timesteps: Timesteps = Field(
        default="clean",
        description="clean: the noiseless image at the backbone's own timestep; random: another noise level at each "
        "training step, for heads that guide; a list: the image noised to each of these levels, all read together.",
    )

    def why_features_change(self) -> str | None:
        return None if self.timesteps == "clean" else "method.timesteps samples new noise at each step"


Method = Annotated[
    ReadoutConfig
    | LandmarksConfig
    | LandmarkKeypointsConfig
    | GazeFrozenConfig
    | GazeConvolutionalConfig
    | GazeDiffusionConfig
    | InstructConfig
    | ClassifierConfig,
    Field(discriminator="kind"),
]


class TrainingConfig(TimeLimit):
    """How long and how fast to learn."""

    steps: PositiveInteger = Field(default=1000, description="Number of optimiser steps.")
    epochs: PositiveInteger | None = Field(
        default=None, description="Passes over the training items, in place of steps; the run then keeps the steps."
    )
    batch_size: PositiveInteger = Field(default=8, description="Items per step, over all processes together.")
    devices: PositiveInteger = Field(
        default=1, description="Processes on this machine, one for each device: distributed data-parallel training."
    )
    num_nodes: PositiveInteger = Field(default=1, description="Machines, each with so many devices.")
    optimiser: Literal["adamw", "adam", "sgd"] = Field(
        default="adamw",
        description="adamw; adam, whose decay is part of the gradient; or sgd, with a momentum of 0.9.",
    )
    learning_rate: Positive = Field(default=1e-3, description="The optimiser's rate, after warm-up.")
    weight_decay: NonNegative = Field(default=0.0, description="Weight decay.")
    ema: Share | None = Field(
        default=None, description="Decay of the averaged weights (0.999 for example); none: no average."
    )
    warmup_steps: NonNegativeInteger = Field(default=0, description="Steps over which the rate rises from 0.")
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="Rate after warm-up; cosine falls to 1 % of it."
    )
    workers: NonNegativeInteger = Field(
        default=0, description="Processes that load images; 0: none beside the main one."
    )
    precision: Precision = Field(default="float32", description="Arithmetic of training.")
    accumulate: PositiveInteger = Field(default=1, description="Batches whose gradients are added up into one step.")
    validate_every: PositiveInteger = Field(default=200, description="Steps between validations (and checkpoints).")
    clip: Positive | None = Field(default=None, description="Largest norm of the gradient; none: not clipped.")


def _switch(value: Any) -> Any:
    # YAML 1.1 reads a bare `on` or `off` as a boolean.
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class CacheConfig(Section):
    """Features of a frozen backbone, kept on disk so that later epochs don't run it."""

    mode: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = Field(
        default="auto", description="auto: where features repeat; on: refuse to train without; off: never."
    )
    views: PositiveInteger = Field(default=1, description="Fixed augmented views kept of each image.")


class EvaluationConfig(Section):
    """What is scored, and against what."""

    protocols: tuple[Protocol, ...] | None = Field(
        default=None, min_length=1, description="Scores, by protocol; none: the usual ones of the encoding."
    )
    baselines: tuple[Baseline | TeacherBaseline, ...] | None = Field(
        default=None,
        description="Scored beside the run: learning-free baselines, "
        "the same head on random weights (random-weights), a network from scratch, `teacher:MODEL` (a pose model of "
        "transformers); none: the usual ones.",
    )
    sigmas: Positive | tuple[Positive, ...] | None = Field(
        default=None,
        description="Fall-off of coco-oks as a share of the subject's size: one for all keypoints, or one for each in "
        "their order; none: the skeleton's own, where they have been measured.",
    )
    depth_range: tuple[Positive, Positive] = Field(
        default=(1e-3, 10.0), description="Nearest and farthest true depth that is scored, in metres."
    )
    flip_test: Flag = Field(default=False, description="Average each prediction with that of the mirrored image.")
    batch_size: PositiveInteger = Field(default=16, description="Items per forward pass.")


class RunConfig(TrainedRecipe):
    """The recipe of `gensight train`."""

    verb: Annotated[Literal["train"], COMMAND] = "train"
    view: ViewConfig = Field(default=ViewConfig(), description="What the network sees of an image.")
    encoding: Encoding = Field(default=HeatmapConfig(), description="The target, and how it is laid out in tensors.")
    backbone: Backbone = Field(default=TinyConfig(), description="The pretrained model whose features are read.")
    method: Method = Field(default=ReadoutConfig(), description="How the target is learned.")
    training: TrainingConfig = Field(default=TrainingConfig(), description="How long and how fast to learn.")
    cache: CacheConfig = Field(default=CacheConfig(), description="Features kept on disk.")
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="What is scored, and against what.")

    @field_validator("method", mode="before")
    @classmethod
    def _usual_kind(cls, value: Any) -> Any:
        """A method without a kind is a readout."""
        return {"kind": "readout", **value} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunConfig":
        if not self.data.labelled and self.method.needs_labels:
            raise ValueError(
                f"data.kind={self.data.kind} has no labels, and method.kind={self.method.kind} learns from labels"
            )
        self._target_fits()
        augment = self.view.augment
        if self.encoding.facts.views != "gaze" and (augment.crop or augment.head_jitter):
            raise ValueError("view.augment.crop and head_jitter are about heads: they need encoding.kind=gaze")
        if self.view.crop == "fitted-frame" and self.training.batch_size > 1:
            raise ValueError("images differ in size under view.crop=fitted-frame: set training.batch_size=1")
        for section in (self.encoding, self.method):
            section.check(self)
        self._scores_fit()
        if self.cache.mode == "on" and (reason := self.why_features_change()):
            raise ValueError(f"cache.mode=on needs features that repeat, but {reason}")
        return self

    def _target_fits(self) -> None:
        kind, taken = self.encoding.kind, self.method.encodings
        if kind in taken:
            return
        if len(taken) == 1:
            raise ValueError(f"method.kind={self.method.kind} goes with encoding.kind={taken[0]}, not with {kind}")
        takers = [kind_of(method) for method in members(Method) if kind in method.encodings]
        raise ValueError(
            f"encoding.kind={kind} goes with method.kind={' or '.join(takers)}, not with {self.method.kind}"
        )

    def _scores_fit(self) -> None:
        facts, chosen = self.encoding.facts, self.evaluation
        teachers = (f"{TEACHER}MODEL",) if facts.pose_teachers else ()
        for key, names, fitting in (
            ("protocols", chosen.protocols, facts.protocols),
            ("baselines", chosen.baselines, (*facts.baselines, *teachers)),
        ):
            odd = [name for name in names or () if name not in fitting and not (teachers and name.startswith(TEACHER))]
            if odd:
                raise ValueError(
                    f"evaluation.{key}: {', '.join(odd)} cannot be had with {self.encoding.described}, which goes with "
                    f"{', '.join(fitting)}"
                )

    @property
    def truths(self) -> tuple[str, ...]:
        """What the recipe needs of samples: what its encoding does, and boxes where views are cropped to them."""
        boxes = ("boxes",) if self.view.crop in ("box", "stretched-box") else ()
        return tuple(dict.fromkeys([*self.encoding.facts.truths, *boxes]))

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Scores, by protocol: the recipe's, or the usual ones."""
        return self.evaluation.protocols or self.encoding.facts.usual_protocols

    @property
    def baselines(self) -> tuple[str, ...]:
        """Baselines: the recipe's, or the usual ones."""
        chosen = self.evaluation.baselines
        return self.encoding.facts.usual_baselines if chosen is None else chosen

    @property
    def caches_features(self) -> bool:
        """Whether training keeps the backbone's features on disk: one process fills the cache."""
        alone = self.training.devices * self.training.num_nodes == 1
        return alone and self.cache.mode != "off" and self.why_features_change() is None

    def why_features_change(self) -> str | None:
        """Why a feature cache would be wrong for this run, as `key=value ...`; None where it is right."""
        reason = (
            self.backbone.why_features_change()
            or self.method.why_features_change()
            or self.encoding.why_features_change(self.view.size)
        )
        if reason is None and self.view.augment != AugmentConfig() and self.cache.views == 1:
            return "view.augment changes each image anew (cache.views above 1 keeps that many fixed views)"
        return reason
