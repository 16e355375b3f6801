"""The aggregation network: feature maps of many layers and noise levels -> one map.

Source: Luo et al., "Diffusion Hyperfeatures", NeurIPS 2023, section 3.2, with the time conditioning of Luo et al.,
"Readout Guidance", CVPR 2024.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Features, Layer
from gensight.heads.maps import resize
from gensight.samples import Size

Order = Literal["native", "reference"]


def group_norm(channels: int, order: Order = "native") -> nn.GroupNorm:
    """GroupNorm with 32 groups, or as many of them as leave each at least two of `channels`.

    In the `reference` order there are 32 wherever they divide the channels, even into groups of one, as published.
    """
    groups = math.gcd(32, channels)
    while groups > 1 and channels // groups < 2 and not (order == "reference" and groups == 32):
        groups //= 2
    return nn.GroupNorm(groups, channels)


def _convolution(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")  # MSRA
    return convolution


class Bottleneck(nn.Module):
    """A residual bottleneck from one layer's channels to the common width.

    Args:
        in_channels: Channels of the layer.
        bottleneck: Inner width.
        projection: Common width.
        time_channels: Width of the time embedding; None without one.
        order: Of the network that it is a part of, which decides on its norms' groups.
    """

    def __init__(
        self, in_channels: int, bottleneck: int, projection: int, time_channels: int | None, order: Order = "native"
    ) -> None:
        super().__init__()
        self.reduce = _convolution(in_channels, bottleneck, 1)
        self.reduce_norm = group_norm(bottleneck, order)
        self.time = nn.Linear(time_channels, bottleneck) if time_channels is not None else None
        self.mix = _convolution(bottleneck, bottleneck, 3)
        self.mix_norm = group_norm(bottleneck, order)
        self.expand = _convolution(bottleneck, projection, 1)
        self.expand_norm = group_norm(projection, order)
        self.shortcut = _convolution(in_channels, projection, 1)
        self.shortcut_norm = group_norm(projection, order)

    def forward(
        self,
        maps: Float[Tensor, "batch channels height width"],
        time_embedding: Float[Tensor, "batch time_channels"] | None,
        scale: Float[Tensor, ""],
        timed: bool = True,
    ) -> Float[Tensor, "batch projection height width"]:
        """`scale` times the block's output; `scale` must be positive. Not `timed`: without the embedding's term."""
        hidden = functional.relu(self.reduce_norm(self.reduce(maps)), inplace=True)
        if self.time is not None and timed:
            if time_embedding is None:
                raise ValueError("this aggregation network is conditioned on a time embedding, and got none")
            hidden = hidden + functional.relu(self.time(time_embedding))[:, :, None, None]
        hidden = functional.relu(self.mix_norm(self.mix(hidden)), inplace=True)
        # A positive factor passes through ReLU, so it is folded into the last norms: no full-size product, and
        # nothing kept of it for the backward pass.
        expanded = _scaled_norm(self.expand_norm, self.expand(hidden), scale)
        return functional.relu(
            expanded.add_(_scaled_norm(self.shortcut_norm, self.shortcut(maps), scale)), inplace=True
        )


def _scaled_norm(norm: nn.GroupNorm, maps: Tensor, scale: Tensor) -> Tensor:
    return functional.group_norm(maps, norm.num_groups, norm.weight * scale, norm.bias * scale, norm.eps)


class Aggregation(nn.Module):
    """Softmax-weighted sum, over layers and noise levels, of each map's bottleneck.

    Args:
        layers: The backbone's layers, in its order.
        time_channels: Width of the backbone's time embedding; None for a plain encoder.
        projection: Channels of the result.
        bottleneck: Inner width of the bottlenecks.
        num_timesteps: How many noise levels are aggregated; they share bottlenecks and have their own weights.
        order: `native` runs each bottleneck at its map's own resolution and upsamples the result; `reference` resizes
            the maps first, as the paper's released heads do: several times the time and memory.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        time_channels: int | None,
        projection: int = 384,
        bottleneck: int = 96,
        num_timesteps: int = 1,
        order: Order = "native",
    ) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.projection = projection
        self.num_timesteps = num_timesteps
        self.order = order
        self.bottlenecks = nn.ModuleList(
            Bottleneck(layer.channels, bottleneck, projection, time_channels, order) for layer in self.layers
        )
        self.mixing = nn.Parameter(torch.ones(num_timesteps, len(self.layers)))

    @property
    def weights(self) -> Float[Tensor, "timesteps layers"]:
        """Each layer's share at each noise level; they add up to 1."""
        return self.mixing.flatten().softmax(0).view_as(self.mixing)

    def forward(
        self, features: Features | Sequence[Features], grid_size: Size | None = None, timed: bool = True
    ) -> Float[Tensor, "batch projection grid_height grid_width"]:
        """The aggregated map.

        Args:
            features: One noise level, or `num_timesteps` of them in the order of training.
            grid_size: (height, width) of the result; the finest map's if None.
            timed: Whether the bottlenecks add the time embedding's term.

        Raises:
            ValueError: For another number of noise levels, or a missing layer or time embedding.
        """
        levels = [features] if isinstance(features, Features) else list(features)
        self._check(levels)
        if grid_size is None:
            grid_size = finest_grid(levels[0])
        weights = self.weights
        # Maps of one resolution are summed before they are resized, once: resizing is linear.
        sums: dict[Size, Tensor] = {}
        for level, row in zip(levels, weights, strict=True):
            for layer, block, weight in zip(self.layers, self.bottlenecks, row, strict=True):
                maps = self._cast(level.maps[layer.name])
                if self.order == "reference":
                    maps = resize(maps, grid_size)
                elif maps.device.type == "cpu":  # there, resizing is 20 x faster so; on GPUs, norms would copy it back
                    maps = maps.contiguous(memory_format=torch.channels_last)
                time_embedding = None if level.time_embedding is None else self._cast(level.time_embedding)
                result = block(maps, time_embedding, weight, timed)
                size = (result.shape[-2], result.shape[-1])
                sums[size] = sums[size] + result if size in sums else result
        return reduce(torch.add, (resize(maps, grid_size) for maps in sums.values()))

    def _cast(self, tensor: Tensor) -> Tensor:
        """Features may come in half precision, from a backbone or a cache; autocast sees to its own."""
        return tensor if torch.is_autocast_enabled(tensor.device.type) else tensor.to(self.mixing.dtype)

    def _check(self, levels: list[Features]) -> None:
        if len(levels) != self.num_timesteps:
            raise ValueError(f"features of {self.num_timesteps} noise levels are aggregated, got {len(levels)}")
        for level in levels:
            missing = [layer.name for layer in self.layers if layer.name not in level.maps]
            if missing:
                raise ValueError(f"features lack the layers {missing}; they have {list(level.maps)}")


def finest_grid(features: Features) -> Size:
    """(height, width) of the largest map."""
    sizes: list[Size] = [(maps.shape[-2], maps.shape[-1]) for maps in features.maps.values()]
    return max(sizes, key=lambda size: size[0] * size[1])
