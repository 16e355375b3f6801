"""SPADE: instance normalisation whose scale and shift are read off maps (Park et al., CVPR 2019, equation 1).

Where a landmark model's time and memory go, so its derivative is written out: of each normalisation only the features
and the scale are kept, and nothing is copied between memory layouts.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

EPSILON = 1e-5


def modulated_norm(features: Tensor, modulation: Tensor) -> Tensor:
    """Each image's channels at mean 0 and variance 1, times 1 + scale, plus shift.

    Args:
        features: (B, C, height, width).
        modulation: (B, 2 C, height, width): the scales, then the shifts.
    """
    return _ModulatedNorm.apply(features, modulation)


class _ModulatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, modulation: Tensor) -> Tensor:
        variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
        inverse = (variance + EPSILON).rsqrt()
        ctx.save_for_backward(features, modulation, mean, inverse)
        scale, shift = modulation.chunk(2, dim=1)
        normal = (features - mean).mul_(inverse)
        return torch.addcmul(shift, normal, scale).add_(normal)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        features, modulation, mean, inverse = ctx.saved_tensors
        channels = features.shape[1]
        normal = (features - mean).mul_(inverse)
        of_modulation = torch.empty_like(modulation)
        torch.mul(gradient, normal, out=of_modulation[:, :channels])
        of_modulation[:, channels:] = gradient
        of_normal = torch.addcmul(gradient, gradient, modulation[:, :channels])
        along = (of_normal * normal).mean((2, 3), keepdim=True)
        of_features = of_normal.sub_(of_normal.mean((2, 3), keepdim=True)).sub_(normal.mul_(along)).mul_(inverse)
        return of_features, of_modulation


class Spade(nn.Module):
    """Scale and shift of a normalisation, from maps through one hidden layer.

    Args:
        channels: Of the features.
        num_maps: Of the maps.
        width: Of the hidden layer.
    """

    def __init__(self, channels: int, num_maps: int, width: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(num_maps, width, 3, padding=1)
        self.modulation = nn.Conv2d(width, 2 * channels, 3, padding=1)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        return modulated_norm(features, self.modulation(functional.relu(self.shared(maps), inplace=True)))


class SpadeBlock(nn.Module):
    """Two spectrally normalised convolutions behind SPADE, and a learned short cut where channels differ."""

    def __init__(self, in_channels: int, channels: int, num_maps: int, width: int) -> None:
        super().__init__()
        self.first_norm = Spade(in_channels, num_maps, width)
        self.first = spectral_norm(nn.Conv2d(in_channels, channels, 3, padding=1))
        self.second_norm = Spade(channels, num_maps, width)
        self.second = spectral_norm(nn.Conv2d(channels, channels, 3, padding=1))
        self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False) if in_channels != channels else nn.Identity()

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        # In place: what SPADE gives is needed nowhere else, and at full resolution it is what memory goes to.
        hidden = self.first(functional.leaky_relu(self.first_norm(features, maps), 0.2, inplace=True))
        hidden = self.second(functional.leaky_relu(self.second_norm(hidden, maps), 0.2, inplace=True))
        return self.shortcut(features) + hidden
