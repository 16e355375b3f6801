"""The backbone of a recipe, with its weights and its preset; and one by its name alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

from pydantic import TypeAdapter, ValidationError

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion, load_tiny
from gensight.backbones.imagenet import ImagenetEncoder
from gensight.backbones.presets import preset
from gensight.backbones.scratch import ScratchEncoder
from gensight.backbones.transformers_encoder import load_transformers
from gensight.config.encoders import ImagenetConfig, TransformersConfig
from gensight.config.schema import Backbone as BackboneSection
from gensight.config.schema import DiffusersConfig, ReadoutConfig, RunConfig, ScratchConfig, TinyConfig
from gensight.config.sections import PretrainedSection
from gensight.errors import ConfigError, RunError


def resolve_preset(config: RunConfig) -> RunConfig:
    """The recipe with `backbone.layers=preset` replaced by that preset's layers and timestep; else the recipe itself.

    Raises:
        ConfigError: If nobody has probed that backbone.
    """
    backbone = config.backbone
    if not isinstance(backbone, PretrainedSection) or backbone.layers != "preset":
        return config
    name = getattr(backbone, "id", backbone.kind)
    found = preset(name)
    if found is None:
        raise ConfigError(
            f"no preset was measured for `{name}`",
            where="backbone.layers",
            hint="measure one with `gensight probe RECIPE`, or leave backbone.layers out to read the usual ones",
        )
    timed = {"timestep": found.timestep} if backbone.is_diffusion else {}
    chosen = backbone.model_copy(update={"layers": found.layers, **timed})
    return config.model_copy(update={"backbone": chosen})


def build_backbone(config: RunConfig, perception_only: bool = False) -> Backbone:
    """The backbone of a recipe, with its weights. Raises RunError where they cannot be had.

    Args:
        config: The recipe.
        perception_only: The process does nothing else with diffusion models but to read images, see `load_diffusion`.
    """
    reads = perception_only and isinstance(config.method, ReadoutConfig)
    return _build(resolve_preset(config).backbone, config.seed, reads)


def backbone_section(name: str) -> dict[str, str]:
    """The keys of a `backbone` section: of `tiny` or `imagenet`, a folder, or the hub id of a diffusers pipeline."""
    if name in ("tiny", "imagenet"):
        return {"kind": name}
    is_encoder = (Path(name) / "config.json").is_file() and not (Path(name) / "model_index.json").is_file()
    return {"kind": "transformers" if is_encoder else "diffusers", "id": name}


def open_backbone(name: str, settings: Mapping[str, Any]) -> Backbone:
    """A backbone by its name: `tiny`, `imagenet`, or a hub id or folder of a pipeline or a transformers encoder.

    Raises:
        ConfigError: A setting that such a backbone does not have.
        RunError: Neither can be loaded.
    """
    section = backbone_section(name)
    try:
        return _build(_section({**section, **settings}), 0)
    except RunError as error:
        if section["kind"] != "diffusers":
            raise
        try:
            return _build(_section({"kind": "transformers", "id": name, **settings}), 0)
        except (RunError, ConfigError):
            raise error from None


def _section(values: Mapping[str, Any]) -> BackboneSection:
    try:
        return TypeAdapter[BackboneSection](BackboneSection).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}", where="backbone"
        ) from error


def _build(backbone: BackboneSection, seed: int, perception_only: bool = False) -> Backbone:
    match backbone:
        case TinyConfig():
            return load_tiny(**_options(backbone), seed=seed, perception_only=perception_only)
        case DiffusersConfig():
            options = _options(backbone)
            return load_diffusion(
                backbone.id, dtype=backbone.dtype, **options, seed=seed, perception_only=perception_only
            )
        case ScratchConfig():
            return ScratchEncoder(widths=backbone.widths)
        case ImagenetConfig():
            return ImagenetEncoder(
                trainable=backbone.trainable,
                layers=_layers(backbone),
                random_weights=backbone.random_weights,
                seed=seed,
            )
        case TransformersConfig():
            return load_transformers(
                backbone.id,
                trainable=backbone.trainable,
                layers=_layers(backbone),
                random_weights=backbone.random_weights,
                seed=seed,
            )
        case _:
            assert_never(backbone)


def _options(backbone: TinyConfig | DiffusersConfig) -> dict[str, Any]:
    """What all diffusion models take."""
    names = ("timestep", "trainable", "lora_rank", "random_weights", "time_embedding")
    return {name: getattr(backbone, name) for name in names} | {"layers": _layers(backbone)}


def _layers(backbone: PretrainedSection) -> tuple[str, ...] | None:
    assert not isinstance(backbone.layers, str)  # presets were resolved
    return backbone.layers
