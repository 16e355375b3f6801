"""The networks of the landmark model: U-Nets, the decoder, the patch discriminators.

Nothing here keeps statistics of batches: one and several processes compute the same.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from gensight.methods.landmarks.parts import Landmarks, paint, render
from gensight.methods.landmarks.separation_loss import Adversary
from gensight.methods.landmarks.spade import SpadeBlock


class UNet(nn.Module):
    """Halves the resolution at each width but the first, and comes back up to the first one's.

    Args:
        in_channels: Of the input.
        out_channels: Of the output, at the resolution of the first width.
        widths: Channels at each scale, finest first.
        stride: Of the first convolution: 2 works, and answers, at half the input's resolution.
    """

    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        kernel = 3 if stride == 1 else 5
        self.stem = _convolution(in_channels, widths[0], stride, kernel)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_convolution(fine, coarse, 2) for fine, coarse in pairs)
        self.reduce = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in reversed(pairs))
        self.up = nn.ModuleList(_convolution(fine, fine) for fine, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the first convolution's features, both at the finest scale."""
        scales = [self.stem(images)]
        for stage in self.down:
            scales.append(stage(scales[-1]))
        first, hidden = scales[0], scales.pop()
        for reduce, stage in zip(self.reduce, self.up, strict=True):
            skip = scales.pop()
            raised = functional.interpolate(reduce(hidden), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            hidden = stage(raised + skip)
        return self.head(hidden), first


def _convolution(in_channels: int, channels: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2),
        nn.GroupNorm(channels, channels),
        nn.ReLU(inplace=True),
    )


class Decoder(nn.Module):
    """From parts' appearance vectors, painted at the coarsest scale, to a picture; SPADE at each scale.

    Args:
        num_landmarks: K.
        appearance_channels: Length of a part's vector.
        widths: Channels at each scale, coarsest first; the last one works at the picture's resolution.
        spade_width: Channels inside each SPADE.
        out_channels: 3 for pictures.
    """

    def __init__(
        self, num_landmarks: int, appearance_channels: int, widths: Sequence[int], spade_width: int, out_channels: int
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(appearance_channels, widths[0], 3, padding=1)
        inputs = [widths[0], *widths[:-1]]
        self.blocks = nn.ModuleList(
            SpadeBlock(before, after, num_landmarks, spade_width) for before, after in zip(inputs, widths, strict=True)
        )
        self.last = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, landmarks: Landmarks, vectors: Tensor, height: int, width: int) -> Tensor:
        """(B, out_channels, height, width), unbounded."""
        scales = [2**level for level in reversed(range(len(self.blocks)))]
        hidden = None
        for block, scale in zip(self.blocks, scales, strict=True):
            maps = render(landmarks, height // scale, width // scale)
            if hidden is None:
                hidden = self.first(paint(vectors, maps))
            else:
                hidden = functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
            hidden = block(hidden, maps)
        assert hidden is not None  # there is at least one block
        return self.last(functional.leaky_relu(hidden, 0.2))


class PatchDiscriminator(nn.Module):
    """Classifies patches as real or generated, at several scales (Wang et al., CVPR 2018, section 3.2)."""

    def __init__(self, num_maps: int, adversary: Adversary) -> None:
        super().__init__()
        self.sees_maps = not adversary.published
        self.scales = nn.ModuleList(
            _patches(3 + num_maps * self.sees_maps, adversary) for _ in range(adversary.num_scales)
        )

    def forward(self, images: Tensor, maps: Tensor) -> list[Tensor]:
        """One map of logits (B, 1, h, w) for each scale, finest first; unbounded."""
        seen, logits = torch.cat([images, maps], dim=1) if self.sees_maps else 2 * images - 1, []
        for discriminator in self.scales:
            logits.append(discriminator(seen))
            seen = functional.avg_pool2d(seen, 3, stride=2, padding=1, count_include_pad=False)
        return logits


def _patches(in_channels: int, adversary: Adversary) -> nn.Sequential:
    num_layers, width = adversary.num_layers, adversary.width
    layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=2, padding=2), nn.LeakyReLU(0.2)]
    channels = width
    for number in range(num_layers):
        following = min(2 * channels, 8 * width)
        stride = 2 if number < num_layers - 1 else 1
        convolution = nn.Conv2d(channels, following, 4, stride=stride, padding=2)
        layers += [
            convolution if adversary.published else spectral_norm(convolution),
            nn.InstanceNorm2d(following),
            nn.LeakyReLU(0.2),
        ]
        channels = following
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=2))
