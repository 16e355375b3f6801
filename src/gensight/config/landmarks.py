"""The `method` sections of landmarks: learned without labels, and keypoints fitted to them afterwards."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from gensight.config.fields import (
    Flag,
    Location,
    NonNegative,
    Number,
    Positive,
    PositiveInteger,
    Section,
    Share,
    Widths,
)
from gensight.config.sections import LandmarkCount, MethodSection


class WarpConfig(Section):
    """A random warp of an image: a turn, an enlargement, a shift, and thin-plate splines on top."""

    rotation: Number = Field(default=22.5, ge=0, le=180, description="Largest rotation, in degrees, either way.")
    scale: tuple[Positive, Positive] = Field(default=(1.05, 1.15), description="Smallest and largest enlargement.")
    translation: Share = Field(default=10 / 128, description="Largest shift, as a share of the side.")
    flip: Share = Field(default=0.0, description="Probability of a left-right flip of both images of a pair.")

    @model_validator(mode="after")
    def _ordered(self) -> "WarpConfig":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is [smallest, largest], got {list(self.scale)}")
        return self


class JitterConfig(Section):
    """Random colours of the image that gives the pose."""

    brightness: Share = Field(default=0.4, description="Largest relative change of brightness.")
    contrast: Share = Field(default=0.4, description="Largest relative change of contrast.")
    saturation: Share = Field(default=0.4, description="Largest relative change of saturation.")
    hue: Number = Field(default=0.3, ge=0, le=0.5, description="Largest turn of hue, as a share of the colour circle.")
    targets: Flag = Field(default=False, description="Whether the image to reconstruct has the changed colours too.")


class AdversaryConfig(Section):
    """A discriminator between reconstructions and frames, at several scales."""

    weight: NonNegative = Field(default=0.0, description="Of the adversarial loss; 0: there is no discriminator.")
    num_scales: PositiveInteger = Field(default=2, description="Discriminators, each at half the former's size.")
    num_layers: PositiveInteger = Field(default=3, description="Strided convolutions of each.")
    width: PositiveInteger = Field(default=64, description="Channels of its first convolution.")
    loss: Literal["least-squares", "cross-entropy"] = Field(default="least-squares", description="What it minimises.")


class LandmarksConfig(MethodSection):
    """A subject's parts, found by redrawing one frame of a video in the pose of another."""

    kind: Literal["landmarks"] = "landmarks"
    encodings: ClassVar[tuple[str, ...]] = ("landmark-pairs",)
    needs_labels: ClassVar[bool] = False
    encoder: Literal["u-net", "backbone"] = Field(
        default="u-net",
        description="What finds the parts: a network trained here, or a small head on the frozen backbone's features, "
        "which then redraws features instead of pixels.",
    )
    shape_widths: Widths = Field(
        default=(64, 128, 256, 512), min_length=2, description="Channels of the shape encoder at 1/2, 1/4, ..."
    )
    appearance_channels: PositiveInteger = Field(default=32, description="Length of each part's appearance vector.")
    appearance_width: PositiveInteger = Field(default=64, description="Channels of the appearance encoder.")
    decoder_widths: Widths = Field(
        default=(256, 256, 128, 64), min_length=2, description="Channels of the decoder, coarsest scale first."
    )
    spade_width: PositiveInteger = Field(default=64, description="Channels inside each SPADE normalisation.")
    covariance: Literal["fitted"] | Positive = Field(
        default=0.008,
        description="A number: the variance with which every landmark is drawn, the image's sides running from -1 to 1 "
        "(more accurate); fitted: as wide as its map (better pictures).",
    )
    formulas: Literal["own", "published"] = Field(
        default="own",
        description="published: those of Dundar et al.: looks averaged over the softmax maps, pixels and VGG-19 "
        "compared from -1 to 1, warps that shrink, and a discriminator that sees pictures alone.",
    )
    background: Literal["none", "full", "low-resolution", "recorded"] = Field(
        default="full",
        description="Whether the background is painted separately, so that landmarks avoid it; low-resolution: mask "
        "at a quarter of the resolution, for plain backgrounds; recorded: it is what view.track found, not painted.",
    )
    background_width: PositiveInteger = Field(default=32, description="Channels of the mask's and background's nets.")
    perceptual: Literal["backbone", "vgg19", "pixels"] = Field(
        default="backbone",
        description="Where reconstructions are compared: in the backbone's features, in VGG-19's, or as pixels.",
    )
    vgg_weights: Location | None = Field(
        default=None, description="VGG-19's ImageNet weights (.safetensors, or a .pth of tensors), for vgg19."
    )
    level_weights: Literal["reduced", "uniform"] = Field(
        default="reduced", description="reduced: each finer level counts half as much as the next; pixels count 1."
    )
    perceptual_weight: Positive = Field(default=5.0, description="Factor on the reconstruction's loss.")
    equivariance: NonNegative = Field(
        default=0.0, description="Weight of the distance between a warped image's landmarks and the warped landmarks."
    )
    separation: NonNegative = Field(
        default=0.0,
        description="Weight of the penalty on landmarks that lie close together, which else may all follow one point.",
    )
    warp: WarpConfig = Field(default=WarpConfig(), description="Of warped pairs and of the equivariance error.")
    jitter: JitterConfig = Field(default=JitterConfig(), description="Colours of the image that gives the pose.")
    adversary: AdversaryConfig = Field(default=AdversaryConfig(), description="The discriminator and its loss.")

    @model_validator(mode="after")
    def _fits(self) -> "LandmarksConfig":
        if self.perceptual == "vgg19" and self.vgg_weights is None:
            raise ValueError(
                "perceptual=vgg19 compares nothing without VGG-19's trained weights: set vgg_weights=FILE, or "
                "perceptual=backbone"
            )
        if self.encoder == "backbone" and (self.adversary.weight or self.background != "none"):
            raise ValueError(
                "encoder=backbone redraws features, and has no pictures for an adversary or a background: set "
                "adversary.weight=0 and background=none"
            )
        return self

    @property
    def side_targets(self) -> tuple[str, ...]:
        return ("background",) if self.background == "recorded" else ()

    def check(self, recipe: Any) -> None:
        if self.background == "recorded" and not recipe.view.track:
            raise ValueError("method.background=recorded needs view.track=true, which finds it")


class LandmarkKeypointsConfig(LandmarkCount, MethodSection):
    """Keypoints by linear regression from frozen landmarks; written by `gensight landmarks fit-keypoints`."""

    kind: Literal["landmark-keypoints"] = "landmark-keypoints"
    encodings: ClassVar[tuple[str, ...]] = ("points",)
    landmarks: LandmarksConfig = Field(default=LandmarksConfig(), description="The landmarks that it reads.")
