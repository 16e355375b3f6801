"""Image encoders of the transformers library as backbones: one row of `FAMILIES` each.

What they return for a 224 x 224 image, by default: ResNet-50 and ConvNeXt four maps, `stage1` (56 cells high) to
`stage4` (7); ViT-B/16, DINOv2, DINOv3 and SigLIP2 the maps after each quarter of their blocks, `block3` to `block12` of
768 channels, 14 cells high with patches of 16 px. No time embedding. Class tokens and registers are cut, positions
interpolated to the image's grid. `pooled` is what the families' own classifiers read.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.base import Features, ImageEncoder, Layer, named_layers, weights_hash
from gensight.backbones.transformers_models import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    UNUSED,
    load_model,
    model_folder,
    read_preprocessing,
)
from gensight.errors import ConfigError, RunError

_HALF = (0.5, 0.5, 0.5)
_ANY_GRID = {"interpolate_pos_encoding": True}


@dataclass(frozen=True)
class Family:
    """Where an encoder's maps are found.

    Attributes:
        model: Class of the library.
        blocks: Its blocks, whose outputs are tokens; or its stages, whose outputs are maps.
        norm: The norm after its last block, applied to every map that is read, as the families' own readers do; empty
            for stages.
        mean: Of its input's channels, where the folder does not state it.
        std: Standard deviation, likewise.
        patches: Whether its input is the image's patches, each as one vector.
        arguments: Of its forward pass.
        options: Of its constructor.
    """

    model: str
    blocks: str
    norm: str = ""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    patches: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


_SIGLIP = Family("SiglipVisionModel", "encoder.layers", "post_layernorm", _HALF, _HALF, arguments=_ANY_GRID)
_NAFLEX = Family("Siglip2VisionModel", "encoder.layers", "post_layernorm", _HALF, _HALF, patches=True)
FAMILIES: dict[str, Family] = {  # by `model_type`
    "resnet": Family("ResNetModel", "encoder.stages"),
    "convnext": Family("ConvNextModel", "encoder.stages"),
    "convnextv2": Family("ConvNextV2Model", "encoder.stages"),
    "dinov3_convnext": Family("DINOv3ConvNextModel", "model.stages"),
    "vit": Family("ViTModel", "layers", "layernorm", _HALF, _HALF, False, _ANY_GRID, {"add_pooling_layer": False}),
    "dinov2": Family("Dinov2Model", "encoder.layer", "layernorm"),
    "dinov2_with_registers": Family("Dinov2WithRegistersModel", "encoder.layer", "layernorm"),
    "dinov3_vit": Family("DINOv3ViTModel", "model.layer", "norm"),
    "siglip": _SIGLIP,  # SigLIP and SigLIP2 of a fixed size, with their text model or without
    "siglip_vision_model": _SIGLIP,
    "siglip2": _NAFLEX,  # SigLIP2 of any aspect ratio
    "siglip2_vision_model": _NAFLEX,
}
# Architectures that need no files, where weights are random: the library's defaults of these families.
ARCHITECTURES = {"resnet-50": "resnet", "vit-b-16": "vit"}


class TransformersEncoder(ImageEncoder):
    """An image encoder of one of `FAMILIES`. Its classifier or text model is left out.

    Args:
        model: The library's model, as `Family.model` names it.
        mean: Of its input's channels.
        std: Standard deviation of its input's channels.
        trainable: Whether its weights learn.
        layers: Maps to read, `stage1` ... or `block1` ... by the number of stages or blocks passed; None: all stages,
            or the blocks at each quarter of the depth.

    Raises:
        ConfigError: Another model, or an unknown layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        trainable: bool = True,
        layers: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        config: Any = model.config
        if config.model_type not in FAMILIES:
            raise ConfigError(f"a model of type {config.model_type!r} is no backbone here", choices=FAMILIES)
        self.model = model.requires_grad_(trainable)
        self.trainable = trainable
        self.family = FAMILIES[config.model_type]
        # A list, so that they are not registered twice.
        self.blocks = list(model.get_submodule(self.family.blocks).children())
        self.prefix = 0  # tokens before those of the cells: class token, registers
        if self.family.norm and "siglip" not in config.model_type:
            self.prefix = 1 + (getattr(config, "num_register_tokens", None) or 0)
        self.stride = self.every_layer[-1].stride
        depth = len(self.blocks)
        quarters = dict.fromkeys(f"block{max(1, round(depth * part / 4))}" for part in (1, 2, 3, 4))
        default = list(quarters) if self.family.norm else [layer.name for layer in self.every_layer]
        self.layers = named_layers(self.every_layer, default if layers is None else layers)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    @property
    def every_layer(self) -> tuple[Layer, ...]:
        config: Any = self.model.config
        numbers = range(1, len(self.blocks) + 1)
        if self.family.norm:
            return tuple(Layer(f"block{number}", config.hidden_size, int(config.patch_size)) for number in numbers)
        finest = getattr(config, "patch_size", 4)  # a ResNet's stem and pooling halve the sides once each
        finest *= 2 if getattr(config, "downsample_in_first_stage", False) else 1
        return tuple(
            Layer(f"stage{number}", config.hidden_sizes[number - 1], finest * 2 ** (number - 1)) for number in numbers
        )

    def train(self, mode: bool = True) -> "TransformersEncoder":
        """A frozen model never leaves evaluation mode, so its batch statistics stay."""
        super().train(mode)
        self.model.train(mode and self.trainable)
        if (rotary := getattr(self.model, "rope_embeddings", None)) is not None:
            rotary.eval()  # DINOv3 jitters positions in training, by torch's global generator: not resumable
        return self

    def features(
        self,
        images: Float[Tensor, "batch 3 height width"],
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """See `Backbone.features`; timestep, text and noise mean nothing to it and are ignored."""
        numbers = {int(layer.name[5:]) - 1: layer.name for layer in self.layers}
        found: dict[str, Tensor] = {}

        def keep(name: str, output: Any) -> None:
            found[name] = output if torch.is_tensor(output) else output[0]

        with ExitStack() as hooks:
            for number, name in numbers.items():
                handle = self.blocks[number].register_forward_hook(lambda *made, name=name: keep(name, made[-1]))
                hooks.callback(handle.remove)
            self._forward(images)
        return Features({layer.name: self._cells(found[layer.name], images) for layer in self.layers})

    @property
    def pooled_channels(self) -> int:
        return self.every_layer[-1].channels

    def pooled(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels"]:
        """The mean over a ResNet's cells, that of a ConvNeXt normed; a ViT's class token; SigLIP's own pooling."""
        output = self._forward(images)
        if self.prefix:
            return output.last_hidden_state[:, 0]
        pooled: Tensor | None = output.pooler_output
        return output.last_hidden_state.mean(1) if pooled is None else pooled.flatten(1)

    def _forward(self, images: Tensor) -> Any:
        """The library's output."""
        height, width = self.checked_size(images)
        inputs = (images - self.mean) / self.std
        arguments = dict(self.family.arguments)
        if self.family.patches:
            size, grid = self.stride, (height // self.stride, width // self.stride)
            inputs = inputs.unflatten(3, (grid[1], size)).unflatten(2, (grid[0], size))
            inputs = inputs.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # values of a patch: (y, x, channel)
            arguments["spatial_shapes"] = torch.tensor([grid] * len(images), device=images.device)
            arguments["pixel_attention_mask"] = torch.ones(inputs.shape[:2], dtype=torch.long, device=images.device)
        return self.model(pixel_values=inputs, **arguments)

    def _cells(self, output: Tensor, images: Tensor) -> Tensor:
        """A block's tokens as a normed map; a stage's map as it is."""
        if not self.family.norm:
            return output
        tokens: Tensor = self.model.get_submodule(self.family.norm)(output)
        height, width = images.shape[-2:]
        return tokens[:, self.prefix :].transpose(1, 2).unflatten(-1, (height // self.stride, width // self.stride))

    def weights_hash(self) -> str:
        """Hash of the weights as they are now, and of how images are prepared."""
        return weights_hash({**self.state_dict(), "mean": self.mean, "std": self.std})


def load_transformers(
    source: str,
    *,
    trainable: Literal["frozen", "full"] = "full",
    layers: Sequence[str] | None = None,
    random_weights: bool = False,
    seed: int = 0,
) -> TransformersEncoder:
    """The encoder of a folder or hub id that holds one of `FAMILIES`, with or without its classifier or text model.

    Args:
        source: Folder as `save_pretrained` writes it, or hub id; with random weights also one of `ARCHITECTURES`.
        trainable: `full`: all weights learn; `frozen`: none.
        layers: As of `TransformersEncoder`.
        random_weights: Fresh weights of the same architecture, from `seed`; weight files are not read then.
        seed: Of the fresh weights.

    Raises:
        RunError: Files are missing, damaged or of another kind of model.
        ConfigError: An architecture's name where weights are to be read, or an unknown layer.
    """
    if source in ARCHITECTURES:
        if not random_weights:
            hint = "give a folder or a hub id such as microsoft/resnet-50, or set backbone.random_weights=true"
            raise ConfigError(f"`{source}` names an architecture, not weights", where="backbone.id", hint=hint)
        folder, kind = None, ARCHITECTURES[source]
    else:
        folder = model_folder(source)
        kind = _read_config(folder)["model_type"]
    family = FAMILIES[kind]
    mean, std = (family.mean, family.std) if folder is None else _preparation(folder, family.mean, family.std)
    if random_weights or folder is None:
        import transformers  # slow to import

        model_class = getattr(transformers, family.model)
        settings = model_class.config_class
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = settings() if folder is None else settings.from_pretrained(folder, local_files_only=True)
            model = model_class(config, **family.options)
    else:
        model = load_model(folder, family.model, (*UNUSED, "mask_token"), family.options)
    return TransformersEncoder(model, mean, std, trainable == "full", layers)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = "give a folder as `save_pretrained` of transformers writes it, or a hub id"
        raise RunError("this is no transformers model's folder: its config.json can't be read", where=path,
                       hint=hint) from error  # fmt: skip
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind not in FAMILIES:
        raise RunError(f"a model of type {kind!r} is no backbone here", where=path, choices=FAMILIES)
    return dict(values)


def _preparation(
    folder: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the input's channels: those of the folder's preprocessing file, if it has them."""
    values = read_preprocessing(folder, {"image_mean": mean, "image_std": std})
    try:
        mean, std = (tuple(float(one) for one in values[key]) for key in ("image_mean", "image_std"))
    except (ValueError, TypeError) as error:
        raise RunError(f"the model's preprocessing file can't be read: {error}", where=folder) from error
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise RunError("the model's mean and standard deviation are no three numbers each", where=folder)
    return mean, std
