"""The scene and head encoders of the classical gaze follower, and how they are joined.

Each is a ResNet with a fifth stage (Chong et al., CVPR 2020); the scene's takes the head's place as a fourth channel,
and by choice the fields of the head's direction as three more. With `resnet50` a 224 x 224 image becomes 1024 channels
of 7 x 7; `small` gives 96 channels at a stride of 16.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.encodings.gaze import HEAD, SCENE
from gensight.errors import RunError
from gensight.methods.gaze.directions import SHARPNESS, Direction, DirectionHead, direction_fields
from gensight.methods.gaze.prompts import box_coverage, head_boxes, sines
from gensight.samples import Batch

EncoderSize = Literal["resnet50", "small"]
Layout = Literal["tokens", "attended"]
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours
_ATTENTION_CELLS = 28  # of the head's place, for the soft attention
_RESNETS: dict[EncoderSize, dict[str, Any]] = {
    "resnet50": {
        "layer_type": "bottleneck", "embedding_size": 64,
        "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3],
    },
    "small": {"layer_type": "basic", "embedding_size": 24, "hidden_sizes": [24, 48, 96], "depths": [1, 1, 1]},
}  # fmt: skip
_FIFTH: dict[EncoderSize, tuple[int, int]] = {"resnet50": (1024, 2), "small": (96, 1)}  # channels and blocks


class ImageEncoder(nn.Module):
    """A ResNet with a fifth stage of stride 1, from the transformers library.

    Args:
        size: Which one.
        in_channels: 3, or more with the head's place and the fields of its direction.
        weights: Hub id or folder of ImageNet weights for the first four stages; None: random.
        frozen: Whether nothing in it learns, batch statistics included.

    Raises:
        RunError: If the weights cannot be had or are another network's.
    """

    def __init__(self, size: EncoderSize, in_channels: int, weights: str | None = None, frozen: bool = False) -> None:
        from transformers import ResNetConfig, ResNetModel
        from transformers.models.resnet.modeling_resnet import ResNetStage

        super().__init__()
        self.frozen = frozen
        self.channels, depth = _FIFTH[size]
        config = ResNetConfig(num_channels=3, **_RESNETS[size])
        self.trunk: Any = ResNetModel(config) if weights is None else _pretrained(weights, config)
        if in_channels != 3:
            self._widen_stem(in_channels)
        self.fifth = ResNetStage(config, config.hidden_sizes[-1], self.channels, stride=1, depth=depth)
        for layer in self.fifth.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        self.requires_grad_(not frozen)

    def _widen_stem(self, in_channels: int) -> None:
        """More input channels; what the new ones add begins at a small random value."""
        embedder = self.trunk.embedder
        old = embedder.embedder.convolution
        new = nn.Conv2d(in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
        with torch.no_grad():
            nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
            new.weight[:, :3] = old.weight
        embedder.embedder.convolution, embedder.num_channels = new, in_channels

    def train(self, mode: bool = True) -> "ImageEncoder":
        """A frozen encoder stays in evaluation mode, or batch normalisation would still learn."""
        return super().train(mode and not self.frozen)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, height, width) -> (B, channels, height / stride, width / stride)."""
        hidden: Tensor = self.fifth(self.trunk(images).last_hidden_state)
        return hidden


def _pretrained(weights: str, config: Any) -> Any:
    from transformers import ResNetModel

    try:
        model = ResNetModel.from_pretrained(weights)
    except (OSError, ValueError) as error:
        raise RunError(f"the encoder's weights cannot be loaded: {error}", where=weights) from error
    if model.config.hidden_sizes != config.hidden_sizes or model.config.depths != config.depths:
        raise RunError("these weights are another ResNet's", where=weights, hint="microsoft/resnet-50 fits")
    return model


class Encoded(NamedTuple):
    """What encoders make of scenes and heads.

    Attributes:
        joint: (B, 2 * channels, h, w) scene and head, one beside the other.
        tokens: (B, n, channels) what a decoder attends to.
        direction: Of the heads, where the encoders read one.
    """

    joint: Tensor
    tokens: Tensor
    direction: Direction | None = None


class SceneAndHead(nn.Module):
    """Both encoders: a joint map, and the tokens that a decoder attends to, with fixed positions added.

    Args:
        size: Of both encoders.
        layout: `tokens`: both images' features as they are; `attended`: the scene's first weighed by a soft attention
            that the head and its place steer (Chong et al.).
        weights: Of both encoders; see `ImageEncoder`.
        freeze_scene, freeze_head: Whether an encoder is left as it is.
        directions: Whether the head's direction is read off it, and its fields shown to the scene's encoder.
    """

    def __init__(
        self,
        size: EncoderSize = "resnet50",
        layout: Layout = "tokens",
        weights: str | None = None,
        freeze_scene: bool = False,
        freeze_head: bool = False,
        directions: bool = False,
    ) -> None:
        super().__init__()
        self.scene = ImageEncoder(size, 4 + len(SHARPNESS) * directions, weights, freeze_scene)
        self.head = ImageEncoder(size, 3, weights, freeze_head)
        self.channels = self.scene.channels
        self.direction = DirectionHead(self.channels) if directions else None
        self.attention = nn.Linear(_ATTENTION_CELLS**2 + self.channels, 7 * 7) if layout == "attended" else None

    def forward(self, batch: Batch) -> Encoded:
        return self.encode(batch.images[SCENE], batch.images[HEAD], head_boxes(batch))

    def encode(self, scenes: Tensor, heads: Tensor, boxes: Tensor) -> Encoded:
        """The same from images (B, 3, height, width) and head boxes (B, 4) as shares of the scenes' sides."""
        scenes, heads = _standard(scenes), _standard(heads)
        head, direction = self.head(heads), None
        shown = [scenes, (box_coverage(boxes, _size(scenes)) > 0.5).to(scenes)]
        if self.direction is not None:
            direction = self.direction(head)
            shown.append(direction_fields(direction, boxes, _size(scenes)))
        scene = self.scene(torch.cat(shown, dim=1))
        if self.attention is not None:
            coarse = box_coverage(boxes, (_ATTENTION_CELLS, _ATTENTION_CELLS)).flatten(1)
            steer = torch.cat([coarse, head.mean((-2, -1))], dim=1)
            shares = self.attention(steer).softmax(-1).view(-1, 1, 7, 7)
            resized = functional.interpolate(shares, size=_size(scene), mode="bilinear", align_corners=False)
            # Shares add up to 1 over the map: times its cells they leave the features' scale as it was.
            scene = scene * resized / resized.mean((-2, -1), keepdim=True)
        head = functional.interpolate(head, size=_size(scene), mode="bilinear", align_corners=False)
        where = sines(_size(scene), self.channels).to(scene)
        tokens = torch.cat([(scene + where).flatten(2), (head + where).flatten(2)], dim=2).transpose(1, 2)
        return Encoded(torch.cat([scene, head], dim=1), tokens, direction)


class InFrameHead(nn.Module):
    """Whether the target is in the image, from the joint map: two 1 x 1 convolutions and a mean.

    The ancestors end in batch normalisation and a ReLU before one linear layer, which can die.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 8)
        self.layers = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, hidden, 1), nn.GELU())
        self.last = nn.Linear(hidden, 1)

    def forward(self, joint: Tensor) -> Tensor:
        """(B,) logits."""
        logits: Tensor = self.last(self.layers(joint).mean((-2, -1))).squeeze(-1)
        return logits


def _standard(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, device=images.device, dtype=images.dtype).view(3, 1, 1) for v in (_MEAN, _STD))
    return (images - mean) / std


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]
