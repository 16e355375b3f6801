"""Image encoders of the transformers library, ResNet and ViT, as backbones.

What they return for a 224 x 224 image: ResNet-50 one map `stage4` of 2048 channels, 7 cells high; ViT-B/16 one map
`tokens` of 768 channels, 14 cells high; no time embedding. `pooled` is what their own classifiers read: the mean over
ResNet's cells (2048 numbers), ViT's class token (768).
"""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.base import Backbone, Features, Layer, weights_hash
from gensight.backbones.transformers_models import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    UNUSED,
    load_model,
    model_folder,
    read_preprocessing,
)
from gensight.errors import ConfigError, RunError

# `model_type` -> (class of the library, its attribute that is the encoder, mean and standard deviation of its input).
FAMILIES: dict[str, tuple[str, str, tuple[float, ...], tuple[float, ...]]] = {
    "resnet": ("ResNetForImageClassification", "resnet", IMAGENET_MEAN, IMAGENET_STD),
    "vit": ("ViTForImageClassification", "vit", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
# Architectures that need no files, where weights are random: the library's defaults of these families.
ARCHITECTURES = {"resnet-50": "resnet", "vit-b-16": "vit"}


class TransformersEncoder(Backbone):
    """A ResNet or a ViT. Its classifier is left out.

    Args:
        model: `ResNetModel` or `ViTModel` of the transformers library.
        mean: Of its input's channels.
        std: Standard deviation of its input's channels.
        trainable: Whether its weights learn.

    Raises:
        ConfigError: Another model.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float], trainable: bool = True) -> None:
        super().__init__()
        self.model = model.requires_grad_(trainable)
        self.trainable = trainable
        config: Any = model.config
        self.family = str(config.model_type)
        match self.family:
            case "resnet":
                self.stride = 2 ** (len(config.depths) + 1 + int(config.downsample_in_first_stage))
                self.layers = (Layer(f"stage{len(config.depths)}", config.hidden_sizes[-1], self.stride),)
            case "vit":
                self.stride = int(config.patch_size)
                self.layers = (Layer("tokens", config.hidden_size, self.stride),)
            case other:
                raise ConfigError(f"a model of type {other!r} is no backbone here", choices=FAMILIES)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> "TransformersEncoder":
        """A frozen model never leaves evaluation mode, so its batch statistics stay."""
        super().train(mode)
        self.model.train(mode and self.trainable)
        return self

    def features(
        self,
        images: Float[Tensor, "batch 3 height width"],
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """See `Backbone.features`; timestep, text and noise mean nothing to it and are ignored."""
        hidden, _ = self._forward(images)
        return Features({self.layers[0].name: hidden})

    @property
    def pooled_channels(self) -> int:
        return self.layers[0].channels

    def pooled(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels"]:
        """The mean over ResNet's cells; ViT's class token."""
        return self._forward(images)[1]

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(map, pooled)."""
        height, width = self.checked_size(images)
        inputs = (images - self.mean) / self.std
        if self.family == "resnet":
            output = self.model(pixel_values=inputs)
            return output.last_hidden_state, output.pooler_output.flatten(1)
        output = self.model(pixel_values=inputs, interpolate_pos_encoding=True)
        tokens = output.last_hidden_state
        grid = (height // self.stride, width // self.stride)
        return tokens[:, 1:].transpose(1, 2).unflatten(-1, grid), tokens[:, 0]

    def fingerprint(self) -> str:
        """Hash of the weights as they are now, and of how images are prepared."""
        return weights_hash({**self.state_dict(), "mean": self.mean, "std": self.std})


def load_transformers(
    source: str,
    *,
    trainable: Literal["frozen", "full"] = "full",
    random_weights: bool = False,
    seed: int = 0,
) -> TransformersEncoder:
    """The encoder of a folder or hub id that holds a ResNet or a ViT, with or without its classifier.

    Args:
        source: Folder as `save_pretrained` writes it, or hub id; with random weights also one of `ARCHITECTURES`.
        trainable: `full`: all weights learn; `frozen`: none.
        random_weights: Fresh weights of the same architecture, from `seed`; weight files are not read then.
        seed: Of the fresh weights.

    Raises:
        RunError: Files are missing, damaged or of another kind of model.
        ConfigError: An architecture's name where weights are to be read.
    """
    if source in ARCHITECTURES:
        if not random_weights:
            hint = "give a folder or a hub id such as microsoft/resnet-50, or set backbone.random_weights=true"
            raise ConfigError(f"`{source}` names an architecture, not weights", where="backbone.id", hint=hint)
        folder, kind = None, ARCHITECTURES[source]
        values: dict[str, Any] = {}
    else:
        folder = model_folder(source)
        values = _read_config(folder)
        kind = values["model_type"]
    name, attribute, mean, std = FAMILIES[kind]
    if folder is not None:
        mean, std = _preparation(folder, mean, std)
    if random_weights or folder is None:
        model_class = getattr(importlib.import_module("transformers"), name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = model_class(model_class.config_class.from_dict(values))
    else:
        model = load_model(folder, name, (*UNUSED, "classifier."))
    return TransformersEncoder(getattr(model, attribute), mean, std, trainable == "full")


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
