"""Depth as a map: metres on a logarithmic scale, or inverse depth scaled to each view's own range."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.drawing import draw_depth
from gensight.encodings.base import GridEncoding, OutputSpec, predict
from gensight.encodings.grids import MIN_KNOWN, check_size, map_array
from gensight.encodings.panels import Panel, comparison
from gensight.errors import ConfigError, DataError
from gensight.geometry import map_grid_to_image, map_image_to_grid
from gensight.samples import Array, Depth, Item, Prediction, Sample, View

_IMPLAUSIBLE = 10.0  # a median depth beyond `far` times this, or below `near` over this, is implausible
_MILLIMETRES = 100.0  # integers with a median above this are not metres


class _DepthEncoding(GridEncoding):
    """Common to depth maps: the mean over each cell of inverse depth, in the view's own range, and its inverse.

    Args:
        stride: Model pixels per cell.
        output: Name of the output.
    """

    cells = "depth map"

    def __init__(self, stride: int, output: str) -> None:
        super().__init__(stride)
        self._output = output

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose depth is known."""
        return [] if sample.depth is None else [Item((sample,))]

    def _curve(self, depth: Depth, item: Item) -> Array:
        """What is averaged over cells: float (height, width), NaN where unknown."""
        return inverse_depth(depth)

    def _scaled(self, means: Array) -> Array:
        """The cells' means, NaN where unknown, in [0, 1]."""
        return own_range(means)

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target (channels, grid_height, grid_width) and weight (1, grid_height, grid_width).

        Raises:
            DataError: Depth of another size than the image, or of the wrong unit or kind.
        """
        channels, grid_size = self.outputs[self._output].channels, self.grid_size(views[0].model_size)
        target, weight = np.zeros(grid_size, dtype=np.float32), np.zeros(grid_size, dtype=np.float32)
        if item.sample.depth is not None:
            depth = item.sample.depth()
            check_size(depth.values, item.sample, "depth")
            means, share = map_image_to_grid(self._curve(depth, item), views[0], grid_size)
            weight = ((share >= MIN_KNOWN) & np.isfinite(means)).astype(np.float32)
            if weight.any():
                target = _filled(self._scaled(np.where(weight > 0, means, np.nan)))
        return {
            self._output: torch.from_numpy(np.repeat(target[None], channels, axis=0)),
            f"{self._output}_weight": torch.from_numpy(weight[None]),
        }

    def _decoded(self, outputs: Mapping[str, Tensor], view: View) -> Array:
        """float32 (height, width) of the image: the output in [0, 1], its channels averaged; NaN outside the view."""
        channels = self.outputs[self._output].channels
        maps = map_array(outputs[self._output], channels, self.grid_size(view.model_size), self._output)
        return map_grid_to_image(np.clip(maps.mean(0), 0, 1), view, fill=float("nan"))

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """`depth`: affine, inverse depth in [0, 1], float32 (height, width), NaN outside of the view."""
        return predict(item, depth=Depth(self._decoded(outputs, views[0]), "affine"))

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `depth_panel`."""
        return depth_panel(prediction, item)


class DepthImage(_DepthEncoding):
    """Inverse depth as a picture, scaled to each view's own range: 1 is nearest, 0 farthest.

    Output `depth_image`: (channels, grid_height, grid_width) in [0, 1], the same in every channel;
    `depth_image_weight`: (1, grid_height, grid_width), 0 where less than half of a cell is known. Metric depth is
    inverted first; affine depth is taken for inverse depth as it is. Predictions are affine: inverse depth up to scale
    and shift. A view of one depth only is 0.5 all over.

    Bound on its own encodings, up to scale and shift: inverse depth that is a plane over the view comes back to 1e-3 of
    its range but for half a cell along the view's border; edges of depth are as blurred as cells are wide.

    Args:
        stride: Model pixels per cell.
        channels: 1, or 3 as depth-controlled image models (and Luo et al., "Readout Guidance", CVPR 2024) have it.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "depth-image"

    def __init__(self, stride: int = 4, channels: int = 3) -> None:
        super().__init__(stride, "depth_image")
        if channels not in (1, 3):
            raise ConfigError(f"a depth image has 1 or 3 channels, not {channels}")
        self.channels = channels

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"depth_image": OutputSpec(self.channels, "dense-image")}


class DepthMap(_DepthEncoding):
    """Depth as one number per cell.

    Output `depth`: (1, grid_height, grid_width) in [0, 1]; `depth_weight` likewise, 0 where less than half of a cell is
    known.

    - `metric`: log(depth / near) / log(far / near); depth beyond either end is clipped to it. Only samples of
      metric depth can be encoded. Predictions are metres.
    - `affine`: inverse depth scaled to each view's own range, 1 is nearest (affine depth is taken for inverse depth as
      it is). Predictions are affine: inverse depth up to scale and shift.

    Bound on its own encodings: log depth (inverse depth, up to scale and shift) that is a plane over the view comes
    back to 1e-3 of its range but for half a cell along the view's border; edges of depth are as blurred as cells are
    wide.

    Args:
        stride: Model pixels per cell.
        kind: `metric` or `affine`.
        near: Nearest depth that `metric` can represent, in metres.
        far: Farthest.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "depth-map"

    def __init__(
        self, stride: int = 4, kind: Literal["metric", "affine"] = "metric", near: float = 0.1, far: float = 10.0
    ) -> None:
        super().__init__(stride, "depth")
        if not 0 < near < far:
            raise ConfigError(f"the nearest depth must be above 0 and below the farthest, got {near} and {far} m")
        self.kind, self.near, self.far = kind, near, far

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"depth": OutputSpec(1, "values" if self.kind == "metric" else "affine-values")}

    def _curve(self, depth: Depth, item: Item) -> Array:
        if self.kind == "affine":
            return super()._curve(depth, item)
        if depth.kind != "metric":
            raise DataError(
                "this depth has no unit, so it cannot supervise a metric depth map",
                where=item.sample.key,
                hint="set encoding.depth to affine, or label with metric depth",
            )
        check_metres(depth.values, item.sample.key, self.near, self.far)
        values = np.where(depth.values > 0, depth.values, np.nan)
        return np.log(np.clip(values, self.near, self.far) / self.near) / np.log(self.far / self.near)

    def _scaled(self, means: Array) -> Array:
        return means if self.kind == "metric" else super()._scaled(means)

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """`depth`: metres, or affine inverse depth in [0, 1]; float32 (height, width), NaN outside of the view."""
        if self.kind == "affine":
            return super().decode(outputs, item, views)
        share = self._decoded(outputs, views[0])
        metres = self.near * (self.far / self.near) ** share.astype(np.float64)
        return predict(item, depth=Depth(metres.astype(np.float32), "metric"))


def inverse_depth(depth: Depth) -> Array:
    """float64 (height, width): 1 / metres, or the values of affine depth as they are; NaN where unknown."""
    values = depth.values.astype(np.float64)
    if depth.kind == "affine":
        return values
    return 1 / np.where(values > 0, values, np.nan)


def own_range(values: Array) -> Array:
    """Values scaled to [0, 1] between the smallest and the largest that is known; 0.5 where those are equal."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return np.where(np.isfinite(values), 0.5, np.nan)
    scaled: Array = np.clip((values - low) / (high - low), 0, 1)
    return scaled


def _filled(values: Array) -> Array:
    """float32: unknown cells at the others' mean, so that bars beside an image leave its border nearly as it is."""
    return np.where(np.isfinite(values), values, np.nanmean(values)).astype(np.float32)


def check_metres(values: Array, where: str, near: float, far: float) -> None:
    """Raises an error for metric depth that cannot be in metres.

    Args:
        values: float (height, width), NaN or 0 where unknown.
        where: The file or sample, for the error message.
        near: Nearest expected depth.
        far: Farthest.

    Raises:
        DataError: Whole numbers in the hundreds or more, or a median ten times beyond what is expected.
    """
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return
    median = float(np.median(known))
    whole = median > _MILLIMETRES and bool((known == np.rint(known)).all())
    if whole or median > _IMPLAUSIBLE * far:
        guess = f"metres against millimetres? In millimetres it would be {median / 1000:.3g} m"
    elif median < near / _IMPLAUSIBLE:
        guess = f"metres against kilometres, or millimetres divided twice? Times 1000 it would be {1000 * median:.3g} m"
    else:
        return
    raise DataError(
        f"a median depth of {median:.4g} m is implausible between {near:g} and {far:g} m: {guess}",
        where=where,
        hint="set the data set's depth unit, or encoding.near and encoding.far if the scene really is so deep",
    )


def depth_panel(prediction: Prediction, item: Item) -> Panel | None:
    """Image, truth and prediction, in the colours of the truth's range; the error is relative to the truth."""
    depth = prediction.depth
    if depth is None:
        return None
    if item.sample.depth is None:
        return comparison(item, draw_depth(depth))
    truth = item.sample.depth()
    known = np.isfinite(truth.values) & np.isfinite(depth.values) & (truth.values > 0)
    if not known.any():
        return comparison(item, draw_depth(depth))
    shown = depth if depth.kind == "metric" else _in_metres(depth, truth, known)
    near, far = np.percentile(truth.values[known], [2, 98])
    limits = (float(near), float(far))
    error = float(np.mean(np.abs(shown.values[known] - truth.values[known]) / truth.values[known]))
    return comparison(item, draw_depth(shown, limits), draw_depth(truth, limits), error, "relative error")


def _in_metres(depth: Depth, truth: Depth, known: Array) -> Depth:
    """The inverse depth that was predicted, brought to metres by the least-squares scale and shift."""
    metres = truth.values.astype(np.float64)
    inverse = fitted(depth.values.astype(np.float64), 1 / np.where(known, metres, 1), known)
    return Depth((1 / np.maximum(inverse, 1 / (2 * metres[known].max()))).astype(np.float32), "metric")


def fitted(values: Array, truth: Array, known: Array) -> Array:
    """scale * values + shift, nearest to the truth in the mean square over what is known; all of one shape."""
    if not known.any():
        return values
    centre, goal = float(values[known].mean()), float(truth[known].mean())
    spread = float(((values[known] - centre) ** 2).sum())
    scale = float(((values[known] - centre) * (truth[known] - goal)).sum()) / spread if spread > 1e-12 else 0.0
    return scale * (values - centre) + goal
