"""The recipe of a training run: `RunConfig`, as `gensight train` and every run folder's config.yaml have it.

Each section is one model. Where a section has kinds (`data`, `backbone` ...), each kind is a model of its own, chosen
by `kind`. Nothing here imports torch, numpy or the rest of the project: build/ turns sections into objects.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from gensight.config.classifier import ClassifierConfig, TransformersConfig
from gensight.config.data import UNLABELLED, Data
from gensight.config.encodings import Encoding, HeatmapConfig, JointConfig, PoseImageConfig, Timesteps, parts_of
from gensight.config.fields import (
    Flag,
    FolderOrId,
    ImageSize,
    Integer,
    Name,
    NonNegative,
    NonNegativeInteger,
    Number,
    Positive,
    PositiveInteger,
    Section,
    Share,
    Text,
    Widths,
)
from gensight.config.gaze import (
    GAZE_METHODS,
    GazeConvolutionalConfig,
    GazeDiffusionConfig,
    GazeFrozenConfig,
    GazeMapConfig,
)
from gensight.config.instruct import InstructConfig, PaintedConfig
from gensight.config.landmarks import LandmarkKeypointsConfig, LandmarksConfig
from gensight.config.protocols import (
    BASELINES,
    EVERYBODY,
    PROTOCOLS,
    TEACHER,
    USUAL_BASELINES,
    USUAL_PROTOCOLS,
    Baseline,
    Protocol,
)

T = TypeVar("T")
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
    occlusion: Share = Field(default=0.0, description="Probability that a random rectangle hides part of the image.")
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
    crop: Literal["frame", "stretched-frame", "box", "stretched-box"] = Field(
        default="frame",
        description="frame: the whole image; stretched-frame: the same, squashed; "
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


class _DiffusionConfig(Section):
    layers: Literal["preset"] | Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Feature maps to read, by name; none: all decoder blocks; preset: those that `gensight probe` "
        "found best, at the timestep that goes with them.",
    )
    timestep: NonNegativeInteger = Field(
        default=1, description="Noise level told to the U-Net, 0 (clean) to 999 (noise)."
    )
    trainable: Literal["frozen", "lora", "full"] = Field(
        default="frozen", description="frozen: only the head learns; lora: also low-rank adapters; full: everything."
    )
    lora_rank: PositiveInteger = Field(default=8, description="Rank of the adapters, where `trainable` is lora.")
    random_weights: Flag = Field(
        default=False, description="Same architecture with random weights: the baseline that pretraining must beat."
    )
    time_embedding: Literal["network", "reversed"] = Field(
        default="network",
        description="What heads are told of the noise level: what the U-Net was told; reversed: what the heads that "
        "Readout Guidance released were trained with.",
    )


class TinyConfig(_DiffusionConfig):
    """The small latent diffusion model that comes with the package."""

    kind: Literal["tiny"] = "tiny"


class DiffusersConfig(_DiffusionConfig):
    """Any diffusers text-to-image model of the Stable Diffusion 1.x, 2.x and XL families."""

    kind: Literal["diffusers"] = "diffusers"
    id: FolderOrId = Field(description="Hub id, or folder of a saved pipeline.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32", description="Number type of the frozen U-Net; its autoencoder always runs in float32."
    )


class ScratchConfig(Section):
    """A plain convolutional encoder, trained with the head: the honest baseline."""

    kind: Literal["scratch"] = "scratch"
    widths: Widths = Field(default=(32, 64, 128, 256), description="Channels at each scale, finest first.")


Backbone = Annotated[TinyConfig | DiffusersConfig | ScratchConfig | TransformersConfig, Field(discriminator="kind")]


class ReadoutConfig(Section):
    """A small network that reads a target off the backbone's features."""

    kind: Literal["readout"] = "readout"
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
        default=True, description="Tell the head the noise level, where the backbone has one."
    )
    loss: Literal["mse", "cross-entropy", "softmax"] = Field(
        default="mse",
        description="Per heatmap: mse as published; softmax: the place as one choice among cells (learns fastest). "
        "Other targets have a loss of their own.",
    )
    timesteps: Timesteps = Field(
        default="clean",
        description="clean: the noiseless image at the backbone's own timestep; random: another noise level at each "
        "training step, for heads that guide; a list: the image noised to each of these levels, all read together.",
    )


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

# Methods whose targets are of one kind of their own; every other method makes any of the other encodings.
OWN_ENCODINGS = {
    "landmarks": "landmark-pairs", "landmark-keypoints": "points", "instruct": "painted",
    "classifier": "class",
} | dict.fromkeys(GAZE_METHODS, "gaze")  # fmt: skip
WITHOUT_LABELS = ("landmarks",)


class TrainingConfig(Section):
    """How long and how fast to learn."""

    steps: PositiveInteger = Field(default=1000, description="Number of optimiser steps.")
    epochs: PositiveInteger | None = Field(
        default=None, description="Passes over the training items, in place of steps; the run then keeps the steps."
    )
    max_minutes: Positive | None = Field(
        default=None, description="Stop after so many minutes of training; none: never."
    )
    batch_size: PositiveInteger = Field(default=8, description="Items per step, over all processes together.")
    devices: PositiveInteger = Field(
        default=1, description="Processes on this machine, one for each device: distributed data-parallel training."
    )
    num_nodes: PositiveInteger = Field(default=1, description="Machines, each with so many devices.")
    optimiser: Literal["adamw", "sgd"] = Field(default="adamw", description="How gradients become steps.")
    learning_rate: Positive = Field(default=1e-3, description="The optimiser's rate, after warm-up.")
    momentum: Share = Field(default=0.9, description="Momentum of sgd (Nesterov's is not used).")
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
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="Arithmetic of training."
    )
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
        description="Scored beside the run: what looks at nothing or at bare pixels, the same head on random weights "
        "(random-twin), a network from scratch, `teacher:MODEL` (a pose model of transformers); none: the usual ones.",
    )
    depth_range: tuple[Positive, Positive] = Field(
        default=(1e-3, 10.0), description="Nearest and farthest true depth that is scored, in metres."
    )
    flip_test: Flag = Field(default=False, description="Average each prediction with that of the mirrored image.")
    batch_size: PositiveInteger = Field(default=16, description="Items per forward pass.")


class RunConfig(Section):
    """The recipe of `gensight train`."""

    verb: Literal["train"] = Field(default="train", description="Which command the recipe is for.")
    name: Name = Field(default="run", description="Names the run folder.")
    description: Text = Field(default="", description="One line, shown by `gensight recipes` and in the report.")
    seed: Integer = Field(default=0, description="Draws initial weights, the order of samples and augmentation.")
    data: Data = Field(description="Images and labels.")
    view: ViewConfig = Field(default=ViewConfig(), description="What the network sees of an image.")
    encoding: Encoding = Field(default=HeatmapConfig(), description="What is asked, and how the answer is laid out.")
    backbone: Backbone = Field(default=TinyConfig(), description="What already knows about images.")
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
        if self.data.kind in UNLABELLED and self.method.kind not in WITHOUT_LABELS:
            raise ValueError(
                f"data.kind={self.data.kind} has no labels, and method.kind={self.method.kind} learns from labels"
            )
        self._target_fits()
        self._scores_fit()
        if self.cache.mode == "on" and (reason := self.why_features_change()):
            raise ValueError(f"cache.mode=on needs features that repeat, but {reason}")
        return self

    def _target_fits(self) -> None:
        own = OWN_ENCODINGS.get(self.method.kind)
        if own is not None and self.encoding.kind != own:
            raise ValueError(
                f"method.kind={self.method.kind} goes with encoding.kind={own}, not with {self.encoding.kind}"
            )
        kinds = [part.kind for part in parts_of(self.encoding).values()]
        for encoding in sorted(set(OWN_ENCODINGS.values()) & set(kinds)):
            takers = [kind for kind, made in OWN_ENCODINGS.items() if made == encoding]
            if self.method.kind not in takers:
                raise ValueError(
                    f"encoding.kind={encoding} goes with method.kind={' or '.join(takers)}, not with {self.method.kind}"
                )
        self._gaze_fits()
        self._instruct_fits()
        if isinstance(self.method, LandmarksConfig) and self.method.background == "recorded" and not self.view.track:
            raise ValueError("method.background=recorded needs view.track=true, which finds it")

    def _instruct_fits(self) -> None:
        if not isinstance(self.method, InstructConfig):
            return
        if isinstance(self.backbone, ScratchConfig | TransformersConfig):
            kind = self.backbone.kind
            raise ValueError(f"method.kind=instruct paints with a diffusion model, not with backbone.kind={kind}")
        if self.backbone.trainable == "frozen":
            raise ValueError("method.kind=instruct changes the backbone: set backbone.trainable to lora or full")
        asked = self.encoding.tasks if isinstance(self.encoding, PaintedConfig) else ()
        if self.evaluation.flip_test and "keypoints" in asked:
            raise ValueError("no evaluation.flip_test with encoding.tasks of keypoints: colours tell left from right")

    def _gaze_fits(self) -> None:
        augment = self.view.augment
        if not isinstance(self.encoding, GazeMapConfig):
            if augment.crop or augment.head_jitter:
                raise ValueError("view.augment.crop and head_jitter are about heads: they need encoding.kind=gaze")
            return
        if self.view.crop not in ("frame", "stretched-frame"):
            raise ValueError(f"gaze needs whole scenes (frame, stretched-frame), not view.crop={self.view.crop}")
        if augment.rotation or augment.translation or augment.scale != (1.0, 1.0):
            raise ValueError("gaze is augmented by crop, flip and head_jitter, not by rotation, scale or translation")
        if self.cache.mode == "on" and self.encoding.head_size not in (None, self.view.size):
            raise ValueError("cache.mode=on needs encoding.head_size to be view.size")

    def _scored_kinds(self) -> list[str]:
        """The parts' names in the tables of protocols."""
        return [
            EVERYBODY if isinstance(part, PoseImageConfig) and part.instances == "all" else part.kind
            for part in parts_of(self.encoding).values()
        ]

    def _scores_fit(self) -> None:
        kinds = self._scored_kinds()
        for key, asked, table in (
            ("protocols", self.evaluation.protocols, PROTOCOLS),
            ("baselines", self.evaluation.baselines, BASELINES),
        ):
            fitting: list[str] = list(dict.fromkeys(name for kind in kinds for name in table[kind]))
            if key == "baselines" and {"heatmap", "pose-image"} & set(kinds):
                fitting += [name for name in asked or () if name.startswith(TEACHER)]
            odd = [name for name in asked or () if name not in fitting]
            if odd:
                encoding = f"encoding.kind={self.encoding.kind}"
                if EVERYBODY in kinds:
                    encoding += " and instances=all"
                raise ValueError(
                    f"evaluation.{key}: {', '.join(odd)} cannot be had with {encoding}, which goes with "
                    f"{', '.join(fitting)}"
                )

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Scores, by protocol: the recipe's, or the usual ones."""
        return self.evaluation.protocols or self._usual(USUAL_PROTOCOLS)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Baselines: the recipe's, or the usual ones."""
        asked = self.evaluation.baselines
        return self._usual(USUAL_BASELINES) if asked is None else asked

    def _usual(self, table: Mapping[str, tuple[T, ...]]) -> tuple[T, ...]:
        kinds = self._scored_kinds()
        return tuple(dict.fromkeys(name for kind in kinds for name in table[kind]))

    def why_features_change(self) -> str | None:
        """Why a feature cache would be wrong for this run, as `key=value ...`; None where it is right."""
        match self.backbone:
            case ScratchConfig():
                return "backbone.kind=scratch is trained"
            case TinyConfig() | DiffusersConfig() | TransformersConfig() if self.backbone.trainable != "frozen":
                return f"backbone.trainable={self.backbone.trainable} changes the backbone"
        if not isinstance(self.method, ReadoutConfig | GazeFrozenConfig):
            return f"method.kind={self.method.kind} looks at pixels"
        if isinstance(self.encoding, GazeMapConfig) and self.encoding.head_size not in (None, self.view.size):
            return "encoding.head_size differs from view.size"
        levels = {} if isinstance(self.method, GazeFrozenConfig) else {"method.timesteps": self.method.timesteps}
        if isinstance(self.encoding, JointConfig):
            levels |= {f"encoding.timesteps.{part}": level for part, level in self.encoding.timesteps.items()}
        for key, level in levels.items():
            if level != "clean":
                return f"{key} draws noise anew at each step"
        if self.view.augment != AugmentConfig() and self.cache.views == 1:
            return "view.augment changes each image anew (cache.views above 1 keeps that many fixed views)"
        return None
