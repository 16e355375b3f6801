"""Predicted maps on disk: one PNG per image and kind."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from gensight.drawing import map_picture
from gensight.files.images import write_image
from gensight.prediction.outputs.writer import Files
from gensight.samples import Array, Prediction

MILLIMETRES = 1000.0


class MapFiles(Files):
    """Writes the maps of predictions, in the size of their images.

    - `depth/NAME.png`: 16 bits; metric depth in millimetres, 0 where unknown (the layout of RGB-D data sets); affine
      depth as inverse depth scaled to 1 (far) ... 65535 (near).
    - `MAP/NAME.png`: each map that is a picture (`edges`, `pose`), 8 bits, grey or RGB, as image models that are
      controlled by such pictures take them.
    """

    name: ClassVar[str] = "maps"

    def add(self, prediction: Prediction, stem: str, folder: Path) -> None:
        if prediction.depth is not None:
            metric = prediction.depth.kind == "metric"
            values = prediction.depth.values
            picture = _millimetres(values) if metric else _scaled(values)
            write_image(folder / map_name("depth", stem), picture)
        for name, score in prediction.maps.items():
            if score.kind != "scores":
                picture = map_picture(score)
                grey = picture.shape[-1] == 1
                write_image(folder / map_name(name, stem), picture[..., 0] if grey else picture)


def map_name(kind: str, stem: str, suffix: str = "") -> str:
    """Where a map lies below the folder of predictions: `depth/STEM.png`."""
    return f"{kind}/{stem}{suffix}.png"


def _millimetres(metres: Array) -> Array:
    return np.rint(np.clip(np.nan_to_num(metres) * MILLIMETRES, 0, 65535)).astype(np.uint16)


def _scaled(values: Array) -> Array:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint16)
    low, high = float(values[known].min()), float(values[known].max())
    share = (np.where(known, values, low) - low) / max(high - low, 1e-12)
    return np.where(known, 1 + np.rint(share * 65534), 0).astype(np.uint16)
