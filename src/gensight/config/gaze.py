"""Sections of a recipe that are about gaze: the target, and the ways to learn it."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from gensight.config.fields import (
    Flag,
    FolderOrId,
    ImageSize,
    Integer,
    NonNegative,
    NonNegativeInteger,
    Positive,
    PositiveInteger,
    SamplerName,
    Share,
    Widths,
)
from gensight.config.sections import EncodingFacts, EncodingSection, MethodSection, NoiseLevels


class GazeMapConfig(EncodingSection):
    """Where a person looks: a heatmap for each head, and whether the target is in the image."""

    kind: Literal["gaze"] = "gaze"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="where people look",
        items="head",
        truths=("gaze",),
        views="gaze",
        files=("gaze",),
        protocols=(
            "gazefollow", "chong", "gazelle", "tonini", "sharingan", "video", "chong-video", "gazelle-video", "goo-5x5",
            "in-frame-ap",
        ),
        usual_protocols=("gazefollow", "in-frame-ap"),
        baselines=("centre-gaze", "mean-gaze", "eye-point", "head-direction", "head-pixels", "random-weights"),
        usual_baselines=("centre-gaze", "mean-gaze", "head-pixels", "head-direction"),
    )  # fmt: skip
    grid: ImageSize = Field(default=(64, 64), description="Height and width of the heatmap, in cells.")
    sigma: Positive = Field(default=3.0, description="Width of the Gaussian, in cells.")
    kernel: Literal["exact", "chong", "gaze-lle"] = Field(
        default="exact",
        description="exact: the Gaussian at the target; else that of a published code, whose peak is off by up to a "
        "cell: Chong's, or Gaze-LLE's, which differs from it near the upper and left borders.",
    )
    head_size: ImageSize | None = Field(
        default=None, description="Height and width of the head's close-up, in pixels; none: as view.size."
    )

    @property
    def close_up(self) -> ImageSize | None:
        return self.head_size

    def check(self, recipe: Any) -> None:
        view, augment = recipe.view, recipe.view.augment
        if view.crop not in ("frame", "stretched-frame"):
            raise ValueError(f"gaze needs whole scenes (frame, stretched-frame), not view.crop={view.crop}")
        if augment.rotation or augment.translation or augment.scale != (1.0, 1.0):
            raise ValueError("gaze is augmented by crop, flip and head_jitter, not by rotation, scale or translation")
        if recipe.cache.mode == "on" and self.why_features_change(view.size):
            raise ValueError("cache.mode=on needs encoding.head_size to be view.size")

    def why_features_change(self, view_size: ImageSize) -> str | None:
        return None if self.head_size in (None, view_size) else "encoding.head_size differs from view.size"


class _GazeMethod(MethodSection):
    encodings: ClassVar[tuple[str, ...]] = ("gaze",)
    in_frame_weight: NonNegative = Field(default=1.0, description="Weight of the in/out loss.")
    direction_weight: NonNegative = Field(
        default=0.0,
        description="Weight of the head's direction, learned from its close-up; fields along it are shown beside the "
        "scene (Lian et al., 2018). 0: neither, as published.",
    )


class GazeFrozenConfig(_GazeMethod):
    """A few transformer layers on the backbone's features, with the head as a prompt (Gaze-LLE)."""

    kind: Literal["gaze-frozen"] = "gaze-frozen"
    width: PositiveInteger = Field(default=256, description="Channels of the tokens; a multiple of `num_heads`.")
    num_blocks: PositiveInteger = Field(default=3, description="Transformer blocks.")
    num_heads: PositiveInteger = Field(default=8, description="Attention heads of each.")
    token_stride: PositiveInteger = Field(default=14, description="Scene pixels per token.")
    close_up: NonNegativeInteger = Field(
        default=0, description="Tokens along each side of the head's close-up; 0: none, as published."
    )
    loss: Literal["bce", "softmax"] = Field(
        default="bce", description="bce: each cell by itself, as published; softmax: one choice among cells."
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "GazeFrozenConfig":
        if self.direction_weight and not self.close_up:
            raise ValueError("direction_weight needs close_up: the head's direction is read off close-ups")
        if self.width % self.num_heads:
            raise ValueError(f"width={self.width} is not a multiple of num_heads={self.num_heads}")
        return self

    def why_features_change(self) -> str | None:
        return None


class _Encoders(_GazeMethod):
    encoder: Literal["resnet50", "small"] = Field(
        default="resnet50",
        description="Encoders of scene and head: two ResNet-50 with a fifth stage, or two small ones. The recipe's "
        "backbone is left unused.",
    )
    weights: FolderOrId | None = Field(
        default=None, description="Hub id or folder of ImageNet weights, such as microsoft/resnet-50; none: random."
    )
    freeze_scene: Flag = Field(default=False, description="Leave the scene's encoder as it is, batch statistics too.")
    freeze_head: Flag = Field(default=False, description="Leave the head's encoder as it is, batch statistics too.")

    @model_validator(mode="after")
    def _weights_fit(self) -> "_Encoders":
        if self.weights is not None and self.encoder != "resnet50":
            raise ValueError(f"weights={self.weights} are a ResNet-50's, but encoder={self.encoder}")
        if (self.freeze_scene or self.freeze_head) and self.weights is None:
            raise ValueError("a frozen encoder needs weights: without them it would stay random")
        return self


class GazeConvolutionalConfig(_Encoders):
    """One shot: Chong et al. (2020); the head's attention over the scene, then a convolutional decoder."""

    kind: Literal["gaze-convolutional"] = "gaze-convolutional"


class GazeDiffusionConfig(NoiseLevels, _Encoders):
    """A U-Net that denoises the heatmap under cross-attention to the scene and the head."""

    kind: Literal["gaze-diffusion"] = "gaze-diffusion"
    layout: Literal["tokens", "attended"] = Field(
        default="tokens", description="attended: the scene is first weighted by attention from the head."
    )
    widths: Widths = Field(default=(8, 16, 24, 32), description="Channels of the U-Net at each scale, finest first.")
    attention: tuple[Flag, ...] = Field(
        default=(False, True, True, False), description="Which scales attend to the tokens; the middle always does."
    )
    num_blocks: PositiveInteger = Field(default=1, description="Residual blocks at each scale.")
    num_heads: PositiveInteger = Field(default=4, description="Attention heads.")
    dropout: Share = Field(default=0.0, lt=1, description="In residual blocks.")
    train_steps: Integer = Field(default=1000, ge=20, description="Noise levels.")
    schedule: Literal["linear", "cosine"] = Field(default="linear", description="How the noise grows.")
    target: Literal["epsilon", "x0", "v"] = Field(default="x0", description="What the network predicts.")
    scale: Positive = Field(default=0.1, description="Maps are denoised in [-scale, scale]; smaller is noisier.")
    normalise: Flag = Field(default=True, description="Divide the network's input by its standard deviation.")
    sigma_range: tuple[Positive, Positive] | None = Field(
        default=(7.0, 10.0), description="Gaussians get a random width between these, in cells; none: encoding.sigma."
    )
    offset_noise: NonNegative = Field(default=0.0, description="Strength of noise on a map's mean, in training.")
    loss: Literal["mse", "hybrid", "kl"] = Field(
        default="mse", description="hybrid: variances are learned beside it; kl: the variational bound alone."
    )
    weighting: Literal["constant", "snr", "inverse-snr", "truncated-snr", "min-snr", "max-snr"] = Field(
        default="constant", description="Weights of noise levels, in the form that the target needs."
    )
    snr_limit: Positive = Field(default=5.0, description="k of min-snr and max-snr.")
    point_weight: NonNegative = Field(default=0.0, description="Weight of the squared distance of the estimated point.")
    in_frame_weight: NonNegative = Field(default=0.01, description="Weight of the in/out loss.")
    beside: NonNegativeInteger = Field(
        default=0,
        description="Channels of scene and head that the U-Net sees at each cell beside the noisy map; 0: none, as "
        "published (attention alone).",
    )
    sampler: SamplerName = Field(default="ddim", description="How maps are sampled.")
    sample_steps: PositiveInteger = Field(default=10, description="Steps of a sample.")
    num_draws: PositiveInteger = Field(default=1, description="Samples that a prediction is the mean of.")

    @model_validator(mode="after")
    def _parts_fit(self) -> "GazeDiffusionConfig":
        if self.loss == "kl" and self.weighting != "constant":
            raise ValueError(f"loss=kl weighs noise levels itself, so weighting={self.weighting} means nothing")
        if self.zero_terminal_snr and (self.target == "epsilon" or self.weighting == "inverse-snr"):
            what = "target=epsilon" if self.target == "epsilon" else "weighting=inverse-snr"
            raise ValueError(f"zero_terminal_snr and {what} don't go together: the last level has no signal")
        if self.loss != "mse" and self.zero_terminal_snr:
            raise ValueError(f"loss={self.loss} needs a little signal at every level, so no zero_terminal_snr")
        if self.sample_steps > self.train_steps:
            raise ValueError(f"sample_steps={self.sample_steps} exceeds train_steps={self.train_steps}")
        if len(self.attention) != len(self.widths):
            raise ValueError(f"attention has {len(self.attention)} scales, widths {len(self.widths)}")
        if self.sigma_range is not None and self.sigma_range[0] > self.sigma_range[1]:
            raise ValueError(f"sigma_range is [smallest, largest], got {list(self.sigma_range)}")
        return self
