"""Depth as a painted answer."""

from typing import Literal

import numpy as np

from gensight.encodings.depth import check_metres, depth_panel
from gensight.encodings.painted.base import Painted, answer_prediction
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError, DataError
from gensight.geometry import map_grid_to_image, map_image_to_grid
from gensight.samples import Array, Depth, Item, Prediction, Query, Sample, View

MIN_KNOWN = 0.5  # share of a cell's area that must be known for it to be supervised


class PaintedDepth(Painted):
    """Metric depth as grey, far is white: linear (depth / far, as published) or logarithmic.

    Bound on its own encodings in float: depth (its logarithm) that is a plane over the view comes back to 1e-3 of its
    range but for half a cell along the border. Stored with 8 bits a step is far / 255 m when linear, and a factor of
    (far / near) ** (1 / 255) when logarithmic (1.8 % from 0.1 to 10 m); with 16 bits, a 257th of that.

    Args:
        scale: `log` or `linear`.
        near: Nearest depth that `log` can represent, in metres.
        far: Farthest depth, in metres.
    """

    name, task = "painted-depth", "depth"

    def __init__(self, scale: Literal["log", "linear"] = "log", near: float = 0.1, far: float = 10.0) -> None:
        if not 0 < near < far:
            raise ConfigError(f"the nearest depth must be above 0 and below the farthest, got {near} and {far} m")
        self.scale, self.near, self.far = scale, near, far

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose depth is known."""
        return [] if sample.depth is None else [Item((sample,), query=Query("estimate the depth", self.task))]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        if item.sample.depth is None:
            return None
        depth = item.sample.depth()
        if depth.kind != "metric":
            raise DataError("this depth has no unit, so it cannot be painted in metres", where=item.sample.key)
        check_metres(depth.values, item.sample.key, self.near, self.far)
        values = np.where(depth.values > 0, depth.values, np.nan).astype(np.float64)
        means, share = map_image_to_grid(self.grey(values), view, view.model_size)
        known = (share >= MIN_KNOWN) & np.isfinite(means)
        grey = np.where(known, means, 0).astype(np.float32)
        return np.repeat(grey[..., None], 3, axis=2), known

    def grey(self, metres: Array) -> Array:
        """Metres -> [0, 1]; NaN stays."""
        if self.scale == "linear":
            return np.clip(metres / self.far, 0, 1)
        grey: Array = np.log(np.clip(metres, self.near, self.far) / self.near) / np.log(self.far / self.near)
        return grey

    def metres(self, grey: Array) -> Array:
        """[0, 1] -> metres."""
        grey = grey.astype(np.float64)
        metres: Array = grey * self.far if self.scale == "linear" else self.near * (self.far / self.near) ** grey
        return metres

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`depth` in metres, NaN outside of the view; the channels are averaged."""
        grey = map_grid_to_image(picture.mean(-1).astype(np.float32), view, fill=float("nan"))
        depth = Depth(self.metres(np.clip(grey, 0, 1)).astype(np.float32), "metric")
        return answer_prediction(item, depth=depth)

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `depth_panel`."""
        return depth_panel(prediction, item)
