"""A small trainable convolutional encoder-decoder: the honest baseline that no pretraining helped.

What it returns for a 240 x 320 image with default widths: maps `decoder.16`, `decoder.8` and `decoder.4` of 192, 128
and 64 channels, 15, 30 and 60 cells high, and no time embedding.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Backbone, Features, Layer, weights_hash
from gensight.errors import ConfigError


class ScratchEncoder(Backbone):
    """A U-Net of convolutions with GroupNorm (after Ronneberger et al., MICCAI 2015), trained from random weights.

    The stem and the first stage bring an image to stride 2 and 4; each further width halves it again, and a decoder
    comes back up to stride 4 through the skip connections.

    Args:
        widths: Channels of the stem (stride 2) and of the stages (stride 4, 8, 16 ...): three at least.
        seed: Of the initial weights.

    Raises:
        ConfigError: For fewer than three widths.
    """

    trainable = True

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 192), seed: int = 0) -> None:
        super().__init__()
        if len(widths) < 3 or min(widths) < 1:
            raise ConfigError(
                f"the scratch encoder can't be built with widths {list(widths)}",
                where="backbone.widths",
                hint="give at least three positive numbers of channels, for strides 2, 4 and 8",
            )
        stem, *stages = widths
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.stem = _Stage(3, stem, blocks=0, kernel=5)
            # The finest stage is the dearest, and sees the least: the blocks go below it.
            self.down = nn.ModuleList(
                _Stage(above, width, blocks=min(index, 1))
                for index, (above, width) in enumerate(zip([stem, *stages[:-1]], stages, strict=True))
            )
            self.skip = nn.ModuleList(nn.Conv2d(width, width, 1) for width in stages[:-1])
            self.up = nn.ModuleList(_Join(below, width) for below, width in zip(stages[1:], stages[:-1], strict=True))
        strides = [4 * 2**index for index in range(len(stages))]
        self.stride = strides[-1]
        self.layers = tuple(
            Layer(f"decoder.{stride}", width, stride) for stride, width in zip(strides[::-1], stages[::-1], strict=True)
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack this keyword

    def features(
        self,
        images: Float[Tensor, "batch 3 height width"],
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """See `Backbone.features`; timestep, text and noise mean nothing to it and are ignored."""
        self.checked_size(images)
        hidden = (images * 4 - 2).to(self.stem.reduce.weight.dtype).contiguous(memory_format=torch.channels_last)
        hidden = self.stem(hidden)
        stages = []
        for stage in self.down:
            hidden = stage(hidden)
            stages.append(hidden)
        maps = [stages.pop()]
        for skip, join in zip(reversed(self.skip), reversed(self.up), strict=True):
            maps.append(join(maps[-1], skip(stages.pop())))
        return Features({layer.name: map_ for layer, map_ in zip(self.layers, maps, strict=True)})

    def fingerprint(self) -> str:
        """Hash of the weights as they are now."""
        return weights_hash(self.state_dict())


class _Stage(nn.Module):
    """Halves the resolution, then adds residual blocks."""

    def __init__(self, in_channels: int, channels: int, blocks: int, kernel: int = 3) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, channels, kernel, stride=2, padding=kernel // 2)
        self.norm = _norm(channels)
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(blocks))

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.relu(self.norm(self.reduce(maps)))
        for block in self.blocks:
            maps = block(maps)
        return maps


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.first_norm = _norm(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.second_norm = _norm(channels)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = functional.relu(self.first_norm(self.first(maps)))
        return functional.relu(maps + self.second_norm(self.second(hidden)))


class _Join(nn.Module):
    """Brings the coarser map up to a skip connection's resolution and joins them."""

    def __init__(self, below: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(below, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = _norm(channels)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        # Projected before it is upsampled: a 1 x 1 convolution and a resize commute, and this way costs a quarter.
        raised = functional.interpolate(
            self.project(coarse), size=skip.shape[-2:], mode="bilinear", align_corners=False
        )
        return functional.relu(self.norm(self.mix(skip + raised)))


def _norm(channels: int) -> nn.GroupNorm:
    groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
    return nn.GroupNorm(groups, channels)
