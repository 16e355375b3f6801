"""Predicted maps on disk: one PNG per image and kind."""

from pathlib import Path

import numpy as np

from gensight.drawing import map_picture
from gensight.files.images import write_image
from gensight.prediction.outputs.writer import Files
from gensight.samples import Array, Prediction

MILLIMETRES = 1000.0


class MapFiles(Files):
    """Writes the maps of predictions, in the size of their images.

    - `depth/KEY.png`: 16 bits; metric depth in millimetres, 0 where unknown (the layout of RGB-D data sets); affine
      depth as inverse depth scaled to 1 (far) ... 65535 (near).
    - `NAME/KEY.png`: each map that is a picture (`edges`, `pose`), 8 bits, grey or RGB, as image models that are
      controlled by such pictures take them.

    Args:
        folder: Where.
        frames: Whether the predictions are a video's, whose frames are then named by their number.
    """

    def __init__(self, folder: Path, frames: bool) -> None:
        self.folder, self.frames = folder, frames

    def add(self, prediction: Prediction) -> None:
        if prediction.depth is not None:
            metric = prediction.depth.kind == "metric"
            values = prediction.depth.values
            self._write("depth", prediction, _millimetres(values) if metric else _scaled(values))
        for name, score in prediction.maps.items():
            if score.kind != "scores":
                picture = map_picture(score)
                self._write(name, prediction, picture[..., 0] if picture.shape[-1] == 1 else picture)

    def _write(self, name: str, prediction: Prediction, picture: Array) -> None:
        write_image(self.folder / map_name(name, prediction.sample_key, self.frames), picture)


def map_name(kind: str, sample_key: str, frames: bool, suffix: str = "") -> str:
    """Where a map lies below its folder: `depth/KEY.png`; a video's by the number of its frame, `depth/000012.png`."""
    key = sample_key.rpartition("#")[2] if frames else sample_key
    return f"{kind}/{key}{suffix}.png"


def _millimetres(metres: Array) -> Array:
    return np.rint(np.clip(np.nan_to_num(metres) * MILLIMETRES, 0, 65535)).astype(np.uint16)


def _scaled(values: Array) -> Array:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint16)
    low, high = float(values[known].min()), float(values[known].max())
    share = (np.where(known, values, low) - low) / max(high - low, 1e-12)
    return np.where(known, 1 + np.rint(share * 65534), 0).astype(np.uint16)
