"""The backbone of a recipe, with its weights and its preset."""

from typing import assert_never

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion, load_tiny
from gensight.backbones.presets import preset
from gensight.backbones.scratch import ScratchEncoder
from gensight.backbones.transformers_encoder import load_transformers
from gensight.config.classifier import TransformersConfig
from gensight.config.schema import DiffusersConfig, RunConfig, ScratchConfig, TinyConfig
from gensight.errors import ConfigError


def resolve_preset(config: RunConfig) -> RunConfig:
    """The recipe with `backbone.layers=preset` replaced by that preset's layers and timestep; else the recipe itself.

    Raises:
        ConfigError: If nobody has probed that backbone.
    """
    backbone = config.backbone
    if isinstance(backbone, ScratchConfig | TransformersConfig) or backbone.layers != "preset":
        return config
    name = backbone.id if isinstance(backbone, DiffusersConfig) else backbone.kind
    found = preset(name)
    if found is None:
        raise ConfigError(
            f"no preset was measured for `{name}`",
            where="backbone.layers",
            hint="measure one with `gensight probe RECIPE`, or leave backbone.layers out to read all decoder blocks",
        )
    chosen = backbone.model_copy(update={"layers": found.layers, "timestep": found.timestep})
    return config.model_copy(update={"backbone": chosen})


def build_backbone(config: RunConfig) -> Backbone:
    """The backbone of a recipe, with its weights. Raises RunError where they cannot be had."""
    backbone = resolve_preset(config).backbone
    match backbone:
        case TinyConfig():
            return load_tiny(
                layers=_names(backbone.layers),
                timestep=backbone.timestep,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                time_embedding=backbone.time_embedding,
                seed=config.seed,
            )
        case DiffusersConfig():
            return load_diffusion(
                backbone.id,
                layers=_names(backbone.layers),
                timestep=backbone.timestep,
                dtype=backbone.dtype,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                time_embedding=backbone.time_embedding,
                seed=config.seed,
            )
        case ScratchConfig():
            return ScratchEncoder(widths=backbone.widths)
        case TransformersConfig():
            return load_transformers(
                backbone.id,
                trainable=backbone.trainable,
                random_weights=backbone.random_weights,
                seed=config.seed,
            )
        case _:
            assert_never(backbone)


def _names(layers: tuple[str, ...] | str | None) -> tuple[str, ...] | None:
    assert not isinstance(layers, str)  # presets were resolved
    return layers
