"""Reading tensors out of an unpatched U-Net and an autoencoder's encoder, by hooks that live for one call.

What is read, and where it stands in diffusers' `UNet2DConditionModel`: a layer `up_blocks.1.resnets.0` is the output of
that ResNet block's second convolution, before the residual is added and before the block's upsampler; the time
embedding is the `temb` that all blocks are given, with whatever the U-Net added to it (SDXL: text and sizes). A layer
`vae.down_blocks.1.resnets.0` is the output of that ResNet block of the autoencoder's encoder, residual included.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gensight.backbones.base import Layer, named_layers

ENCODER = "vae."  # what names of the encoder's layers begin with


class Stop(Exception):  # noqa: N818 - it is no error
    """Raised inside a U-Net after the last layer in use, and caught by who called it."""


@dataclass(eq=False)
class Captured:
    """What one pass of a U-Net left behind.

    Attributes:
        maps: Layer name -> map, in the network's order.
        time_embedding: The sum that the blocks were given.
    """

    maps: dict[str, Tensor] = field(default_factory=dict)
    time_embedding: Tensor | None = None


@contextmanager
def capture(unet: nn.Module, names: Sequence[str], stop: bool) -> Iterator[Captured]:
    """Hooks `names` for the calls made inside the block; only the first call of each hook counts.

    Gradient checkpointing runs blocks a second time in the backward pass: by then the hooks are gone, and where a
    backward pass runs inside the block they change nothing.

    Args:
        unet: A diffusers U-Net.
        names: Layers, in the network's order.
        stop: End the pass after the last of them. What the U-Net would return is then not computed. An exported
            network always computes it, or leaves it out as dead code.
    """
    captured = Captured()
    stop = stop and not torch.compiler.is_compiling()  # a tracer takes no exception; what is not used it leaves out

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if name in captured.maps:
                return
            captured.maps[name] = output
            if stop and len(captured.maps) == len(names):
                raise Stop

        return hook

    def keep_time(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if captured.time_embedding is None:
            captured.time_embedding = kwargs["temb"]
            if stop and not names:
                raise Stop

    first = unet.get_submodule("down_blocks.0")
    handles = [first.register_forward_pre_hook(keep_time, with_kwargs=True)]
    handles += [unet.get_submodule(f"{name}.conv2").register_forward_hook(keep(name)) for name in names]
    try:
        yield captured
    except Stop:
        pass
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def watching(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Name -> the latest output of that module, in the calls made inside the block."""
    maps: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            maps[name] = output

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def encoder_modules(vae: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    """The modules whose outputs these layers of an autoencoder's encoder are."""
    return {name: vae.get_submodule(f"encoder.{name.removeprefix(ENCODER)}") for name in names}


def encoder_layers(vae: Any) -> tuple[Layer, ...]:
    """Every layer of an autoencoder's encoder, finest first; none for an `AutoencoderTiny`."""
    layers, stride = [], 1
    for number, block in enumerate(getattr(getattr(vae, "encoder", None), "down_blocks", ())):
        for index, resnet in enumerate(block.resnets):
            layers.append(Layer(f"{ENCODER}down_blocks.{number}.resnets.{index}", resnet.out_channels, stride))
        stride *= 2 if block.downsamplers else 1
    return tuple(layers)


def unet_layers(unet: Any, latent_stride: int) -> tuple[Layer, ...]:
    """Every layer that a U-Net can give, in the order in which it computes them.

    Args:
        unet: A diffusers `UNet2DConditionModel`.
        latent_stride: Image pixels per latent cell.
    """
    layers, stride = [], latent_stride
    groups: list[tuple[str, Any]] = [(f"down_blocks.{i}", b) for i, b in enumerate(unet.down_blocks)]
    groups += [("mid_block", unet.mid_block)] if unet.mid_block is not None else []
    groups += [(f"up_blocks.{i}", b) for i, b in enumerate(unet.up_blocks)]
    for prefix, group in groups:
        for index, block in enumerate(group.resnets):
            layers.append(Layer(f"{prefix}.resnets.{index}", block.out_channels, stride))
        if getattr(group, "downsamplers", None):
            stride *= 2
        if getattr(group, "upsamplers", None):
            stride //= 2
    return tuple(layers)


def choose_layers(every: Sequence[Layer], names: Sequence[str] | None) -> tuple[Layer, ...]:
    """The layers of these names in the network's order; all decoder layers if None. Raises ConfigError."""
    if names is None:
        return tuple(layer for layer in every if layer.name.startswith("up_blocks."))
    return named_layers(every, names)
