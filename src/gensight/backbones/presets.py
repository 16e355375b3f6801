"""What comes with the package: the weights of `tiny`, and presets, the layers and timestep that suit a backbone."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml


def tiny_folder() -> Path:
    """Where the weights of `tiny` are."""
    return Path(str(files("gensight.backbones"))) / "tiny"


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
    """The preset of `tiny` or of a hub id, as `gensight probe` measured it; None where nobody has."""
    text = tiny_folder().with_name("presets.yaml").read_text(encoding="utf-8")
    found = (yaml.safe_load(text) or {}).get(backbone)
    return None if found is None else Preset(tuple(found["layers"]), int(found["timestep"]), str(found["chosen_by"]))
