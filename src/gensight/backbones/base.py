"""What every backbone is: the parts of a pretrained model behind one face.

A backbone answers `features(images)` with named maps at their native resolution. `layers` says which, how many
channels, and at what stride of the image. Images go in as float32 (batch, 3, height, width) in [0, 1]; height and
width must be multiples of `stride`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gensight.errors import ConfigError, nearest
from gensight.samples import Size


@dataclass(frozen=True)
class Layer:
    """One feature map that a backbone can give.

    Attributes:
        name: Where it comes from, for example `up_blocks.1.resnets.0`.
        channels: Number of channels.
        stride: Image pixels per cell.
    """

    name: str
    channels: int
    stride: int


@dataclass(frozen=True, eq=False)
class Features:
    """A backbone's features of a batch of images at one noise level.

    Attributes:
        maps: Layer name -> (batch, channels, height / stride, width / stride), sides rounded up.
        time_embedding: (batch, time_channels), the embedding that the network really used; None for plain encoders.
    """

    maps: dict[str, Tensor]
    time_embedding: Tensor | None = None


class Backbone(nn.Module, ABC):
    """A feature extractor, frozen by default.

    Attributes:
        layers: The selected maps, in the network's order.
        time_channels: Width of the time embedding; None for a plain encoder.
        stride: Height and width of an image must be multiples of this.
        trainable: Whether its parameters (or its adapters) are trained.
        rate_scale: Learning rate of its parameters, as a share of the heads'.
    """

    layers: tuple[Layer, ...]
    time_channels: int | None = None
    stride: int = 8
    trainable: bool = False
    rate_scale: float = 1.0

    @abstractmethod
    def features(
        self,
        images: Tensor,
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """Features of images (batch, 3, height, width) in [0, 1].

        Args:
            images: Height and width multiples of `stride`.
            timestep: Training index 0..T-1, one for all or one per image; the backbone's default if None. Ignored by
                plain encoders.
            text: One prompt per image; empty prompts if None.
            noise: Standard normal, in the shape of the latent; the latent is noised to `timestep` with it. The clean
                latent is used if None.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of the weights and of every setting that features depend on: the feature cache's key."""

    def checked_size(self, images: Tensor) -> Size:
        """(height, width) of images. ConfigError where they are no multiples of `stride`."""
        height, width = images.shape[-2:]
        if height % self.stride or width % self.stride:
            fit = " x ".join(str(max(self.stride, round(side / self.stride) * self.stride)) for side in (height, width))
            what = f"images of {height} x {width} px don't fit a backbone of stride {self.stride}"
            raise ConfigError(what, where="view.size", hint=f"use {fit}")
        return height, width

    @property
    def every_layer(self) -> tuple[Layer, ...]:
        """All maps that can be read, in the network's order."""
        return self.layers

    def read_layers(self, names: Sequence[str]) -> None:
        """Reads these layers from now on. Raises ConfigError for an unknown one."""
        self.layers = named_layers(self.every_layer, names)

    @property
    def pooled_channels(self) -> int:
        """Length of `pooled`."""
        return sum(layer.channels for layer in self.layers)

    def pooled(self, images: Tensor) -> Tensor:
        """(batch, pooled_channels): images as vectors; the mean over the cells of each map, one after the other."""
        return torch.cat([maps.float().mean((-2, -1)) for maps in self.features(images).maps.values()], dim=1)

    def latent_shape(self, image_size: Size) -> tuple[int, ...]:
        """(channels, height, width) of the noise for one image of this size; plain encoders have none (ValueError)."""
        raise ValueError(f"{type(self).__name__} has no noise levels")

    def layer_table(self, image_size: Size) -> list[tuple[str, int, Size]]:
        """(name, channels, (height, width)) of each map for an image of this size."""
        height, width = image_size
        return [(la.name, la.channels, (-(-height // la.stride), -(-width // la.stride))) for la in self.layers]


class ImageEncoder(Backbone):
    """A pretrained backbone with neither text nor noise levels. Its features depend on weights and layers alone."""

    def weights_hash(self) -> str:
        """Hash of the weights as they are now."""
        return weights_hash(self.state_dict())

    def fingerprint(self) -> str:
        names = ",".join(layer.name for layer in self.layers)
        return hashlib.sha256(f"{self.weights_hash()} {names}".encode()).hexdigest()


def named_layers(every: Sequence[Layer], names: Sequence[str]) -> tuple[Layer, ...]:
    """The layers of these names in the network's order. Raises ConfigError for none, or an unknown one."""
    if not names:
        raise ConfigError("no layer is asked for", where="layers", hint="name some, or leave `layers` out for all")
    known = [layer.name for layer in every]
    for name in names:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else None
            raise ConfigError(f"the backbone has no layer {name!r}", where="layers", choices=known, hint=hint)
    return tuple(layer for layer in every if layer.name in set(names))


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of named tensors: names, types, shapes and values; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
