"""Layers and timestep that suit a backbone, as measured by `gensight probe`: `presets.yaml` beside this file."""

from dataclasses import dataclass
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Preset:
    """The defaults of what to read from a backbone.

    Attributes:
        layers: Names of feature maps.
        timestep: The noise level passed to the U-Net.
        chosen_by: The measurement that chose them, with its number.
    """

    layers: tuple[str, ...]
    timestep: int
    chosen_by: str


def preset(backbone: str) -> Preset | None:
    """The preset of `tiny` or of a hub id; None where nobody has measured it."""
    text = (files("gensight.backbones") / "presets.yaml").read_text(encoding="utf-8")
    found = (yaml.safe_load(text) or {}).get(backbone)
    return None if found is None else Preset(tuple(found["layers"]), int(found["timestep"]), str(found["chosen_by"]))
