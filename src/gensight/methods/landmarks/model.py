"""The landmark model: shape encoder, appearance encoder, and a decoder that redraws an image from both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Backbone, Layer
from gensight.heads.maps import resize
from gensight.methods.landmarks.networks import Decoder, UNet
from gensight.methods.landmarks.parts import Landmarks, pool, read_landmarks, render, spatial_softmax

Background = Literal["none", "full", "low-resolution", "recorded"]
VARIANCE_FLOOR = 5e-4  # least variance of a fitted landmark along any direction; reported where it binds


@dataclass(frozen=True, eq=False)
class Found:
    """A shape encoder's output.

    Attributes:
        landmarks: Means, covariances.
        probabilities: (B, K, h, w), each map sums to 1.
        features: (B, C, h, w), for the appearance encoder.
    """

    landmarks: Landmarks
    probabilities: Tensor
    features: Tensor

    def __getitem__(self, index: slice) -> "Found":
        return Found(self.landmarks[index], self.probabilities[index], self.features[index])


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A reconstruction.

    Attributes:
        image: (B, 3, height, width) in [0, 1]; of features, (B, C, h, w).
        mask: (B, 1, height, width) in [0, 1], how much is foreground; None without background factorisation.
        foreground: What the decoder drew.
    """

    image: Tensor
    mask: Tensor | None
    foreground: Tensor


class ImageShape(nn.Module):
    """K maps at half the image's resolution from a U-Net (Dundar et al., arXiv 2001.09518, section 3)."""

    def __init__(self, num_landmarks: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.network = UNet(3, num_landmarks, widths, stride=2)
        self.num_features = widths[0]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, K, h, w) before the softmax, and the features of the first convolution."""
        maps, features = self.network(images)
        return maps, features


class FeatureShape(nn.Module):
    """K maps from a frozen backbone's features, at their finest resolution: a small head, nothing else is trained."""

    def __init__(self, backbone: Backbone, num_landmarks: int, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers: tuple[Layer, ...] = backbone.layers
        self.num_features = sum(layer.channels for layer in self.layers)
        self.reduce = nn.Conv2d(self.num_features, width, 1)
        self.head = nn.Sequential(
            nn.InstanceNorm2d(width, affine=True), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.InstanceNorm2d(width, affine=True), nn.ReLU(), nn.Conv2d(width, num_landmarks, 1),
        )  # fmt: skip

    def read(self, images: Tensor) -> Tensor:
        """(B, C, h, w): all layers at the finest one's resolution, each image's channels at variance 1."""
        with torch.no_grad():
            maps: Mapping[str, Tensor] = self.backbone.features(images).maps
            finest = max(((m.shape[-2], m.shape[-1]) for m in maps.values()), key=lambda size: size[0])
            return functional.instance_norm(torch.cat([resize(maps[la.name].float(), finest) for la in self.layers], 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, K, h, w) before the softmax, and the backbone's features."""
        features = self.read(images)
        return self.head(self.reduce(features)), features


class LandmarkModel(nn.Module):
    """Shape encoder, appearance encoder, decoder and, where asked for, background.

    Args:
        shape: Finds the parts.
        num_landmarks: K.
        variance: Of fixed landmarks; None: fitted covariances.
        pools_softmax: Looks are read and averaged over the softmax maps (as published), not over rendered landmarks.

    The other arguments are those of `Landmarks`.
    """

    def __init__(
        self,
        shape: ImageShape | FeatureShape,
        num_landmarks: int,
        *,
        appearance_channels: int,
        appearance_width: int,
        decoder_widths: Sequence[int],
        spade_width: int,
        variance: float | None,
        background: Background,
        background_width: int,
        pools_softmax: bool = False,
    ) -> None:
        super().__init__()
        self.pools_softmax = pools_softmax
        self.shape, self.variance, self.floor = shape, variance, VARIANCE_FLOOR
        self.redraws_features = isinstance(shape, FeatureShape)
        inputs = shape.num_features + num_landmarks
        self.appearance = UNet(inputs, appearance_channels, (appearance_width, appearance_width))
        out_channels = shape.num_features if self.redraws_features else 3
        self.decoder = Decoder(num_landmarks, appearance_channels, decoder_widths, spade_width, out_channels)
        self.mask_shrink = 4 if background == "low-resolution" else 1
        self.has_background = background != "none"
        self.background_is_recorded = background == "recorded"
        widths = (background_width, 2 * background_width, 4 * background_width)
        if self.has_background:
            self.mask = UNet(num_landmarks, 1, widths[:2])
        if self.has_background and not self.background_is_recorded:
            self.background = UNet(3, 3, widths)

    def find(self, images: Tensor) -> Found:
        """The landmarks of images (B, 3, height, width)."""
        maps, features = self.shape(images)
        probabilities = spatial_softmax(maps.float())
        return Found(read_landmarks(probabilities, self.variance, self.floor), probabilities, features)

    def describe(self, found: Found) -> Tensor:
        """(B, K, appearance_channels): the looks of each part."""
        height, width = found.probabilities.shape[-2:]
        maps = found.probabilities if self.pools_softmax else render(found.landmarks, height, width)
        looks, _ = self.appearance(torch.cat([maps, found.features], dim=1))
        return pool(maps, looks)

    def redraw(self, pose: Found, looks: Found, images: Tensor, behind: Tensor | None = None) -> Redrawn:
        """The subject of `images`, in which `looks` was found, at the places of `pose`; before the same background.

        Args:
            pose: Where the parts are drawn.
            looks: Where they lie in `images`.
            images: (B, 3, height, width).
            behind: The background itself, where it is recorded.
        """
        height, width = (pose.features if self.redraws_features else images).shape[-2:]
        drawn = self.decoder(pose.landmarks, self.describe(looks), height, width)
        if self.redraws_features:
            return Redrawn(drawn, None, drawn)
        drawn = drawn.sigmoid()
        if not self.has_background:
            return Redrawn(drawn, None, drawn)
        mask = self.masks(pose.landmarks, height, width)
        if behind is None:
            behind = self.background((1 - self.masks(looks.landmarks, height, width)) * images)[0].sigmoid()
        return Redrawn(behind * (1 - mask) + drawn * mask, mask, drawn)

    def masks(self, landmarks: Landmarks, height: int, width: int) -> Tensor:
        """(B, 1, height, width): how much of each place is foreground."""
        small = render(landmarks, height // self.mask_shrink, width // self.mask_shrink)
        mask = self.mask(small)[0].sigmoid()
        if self.mask_shrink == 1:
            return mask
        return functional.interpolate(mask, size=(height, width), mode="bilinear", align_corners=False)
