"""The recipe of `gensight pretrain`: `PretrainConfig`. methods/pretrain owns what the numbers mean."""

from typing import Annotated, Literal

from pydantic import Field

from gensight.config.fields import (
    Flag,
    ImageSize,
    Location,
    NonNegative,
    NonNegativeInteger,
    Positive,
    PositiveInteger,
    Precision,
    Section,
    Share,
    Widths,
)
from gensight.config.recipe import COMMAND, TimeLimit, TrainedRecipe


class ScratchStart(Section):
    """Random initial weights."""

    kind: Literal["scratch"] = "scratch"


class TinyStart(Section):
    """The packaged weights and their architecture: widths, layers and the text section don't count."""

    kind: Literal["tiny"] = "tiny"


class FolderStart(Section):
    """A backbone that an earlier `gensight pretrain` saved, and its architecture."""

    kind: Literal["folder"] = "folder"
    path: Location = Field(description="Folder of the saved backbone.")


Start = Annotated[ScratchStart | TinyStart | FolderStart, Field(discriminator="kind")]


class _OptimiserConfig(Section):
    learning_rate: Positive = Field(default=5e-4, description="Rate of AdamW.")
    muon_rate: Positive | None = Field(
        default=None, description="Rate of Muon, which then trains the inner matrices; none: AdamW trains all."
    )
    batch_size: PositiveInteger = Field(default=16, description="Images or latents per step.")


class AutoencoderConfig(_OptimiserConfig):
    """Images to latents and back."""

    widths: Widths = Field(
        default=(16, 32, 64, 80), description="Channels at each scale; each further one halves the side."
    )
    latent_channels: PositiveInteger = Field(default=4, description="Channels of the latent.")
    steps: NonNegativeInteger = Field(default=6000, description="Optimiser steps; 0 keeps the starting weights.")
    crop: PositiveInteger = Field(default=64, description="Side of the random crops that it learns from, in pixels.")
    kl_weight: NonNegative = Field(default=1e-4, description="Weight of the pull towards a standard normal latent.")


class DenoiserConfig(_OptimiserConfig):
    """The U-Net that learns to remove noise from latents: what readouts will read."""

    widths: Widths = Field(default=(96, 128, 160), description="Channels at each scale, finest first.")
    steps: NonNegativeInteger = Field(default=20000, description="Optimiser steps; 0 keeps the starting weights.")
    ema: Share = Field(default=0.999, description="Decay of the averaged weights, which are the ones saved.")
    precision: Precision = Field(
        default="float32", description="Of its arithmetic; bfloat16 is faster where the processor has it."
    )
    prediction: Literal["epsilon", "v"] = Field(
        default="v", description="What the network predicts: the noise, or Salimans and Ho's v."
    )
    alignment: NonNegative = Field(
        default=0.0,
        description="Weight of 1 - cosine similarity between a middle map and EfficientNet-Lite0's (REPA, "
        "arXiv:2410.06940); in training only. Above 0 it needs the `imagenet` extra, and sides that are multiples of "
        "16.",
    )


class TextConfig(Section):
    """The text encoder, trained with the denoiser."""

    width: PositiveInteger = Field(default=128, description="Channels of a word.")
    layers: PositiveInteger = Field(default=2, description="Transformer layers.")
    length: PositiveInteger = Field(default=32, description="Longest caption, in words.")


class PretrainConfig(TimeLimit, TrainedRecipe):
    """The recipe of `gensight pretrain`. Labels of the data are not used."""

    verb: Annotated[Literal["pretrain"], COMMAND] = "pretrain"
    num_images: PositiveInteger | None = Field(
        default=None,
        description="Learn from this many images, evenly spaced over the data; where there are fewer, from several "
        "crops of each. None: as many as there are.",
    )
    kept_images: PositiveInteger | None = Field(
        default=None,
        description="Images whose pixels are kept on disk, from which the autoencoder learns; of the others only "
        "latents and captions are. None: all.",
    )
    image_size: ImageSize = Field(default=(128, 128), description="Height and width of training images, in pixels.")
    resize: ImageSize | None = Field(
        default=None,
        description="Images are scaled to cover this height and width, then a random crop of image_size is taken; "
        "none: image_size itself, so that whole images are seen.",
    )
    flip: Flag = Field(default=False, description="Whether the denoiser learns from mirror images too.")
    captions: Flag = Field(default=True, description="Whether to learn from captions, where the data has them.")
    start: Start = Field(default=ScratchStart(), description="Where the weights start from.")
    autoencoder: AutoencoderConfig = Field(default=AutoencoderConfig(), description="Images to latents and back.")
    denoiser: DenoiserConfig = Field(default=DenoiserConfig(), description="The network that readouts will read.")
    text: TextConfig = Field(default=TextConfig(), description="The text encoder.")
