"""Edges as an image: the edge density of each cell."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gensight.drawing.maps import grey
from gensight.encodings.base import GridEncoding, OutputSpec, predict
from gensight.encodings.grids import MIN_KNOWN, check_size, map_array
from gensight.encodings.panels import Panel, comparison
from gensight.errors import ConfigError
from gensight.geometry import map_grid_to_image, map_image_to_grid
from gensight.samples import Item, Prediction, Sample, ScoreMap, View

_ONE_LINE = 0.5  # value of a cell that one line crosses upright: room for a second one


class EdgeImage(GridEncoding):
    """How much edge there is in each cell.

    Output `edges`: (channels, grid_height, grid_width) in [0, 1], the same in each channel; `edges_weight`, (1,
    grid_height, grid_width), 0 where less than half of a cell
    lies in the image, and everywhere if the sample's edges are unknown. A cell's value is half the area of edge in it
    over that of a line one pixel wide that crosses it upright, at most 1: a mean over the cell's area, exact, so that
    the position of an edge between two cells follows from its shares in both.

    Bound on its own encodings: half a cell along each axis, and none across a line on the border of two cells.

    Args:
        channels: 1, or 3 as published heads have it; an answer's channels are averaged.
        stride: Model pixels per cell.

    Errors:
        ConfigError: `stride` or `channels` is out of its range.
    """

    name = "edge-image"
    cells = "edge image"

    def __init__(self, channels: int = 1, stride: int = 4) -> None:
        super().__init__(stride)
        if channels not in (1, 3):
            raise ConfigError(f"an edge image has 1 or 3 channels, got {channels}")
        self.channels = channels

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"edges": OutputSpec(self.channels, "sparse-image")}

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose edges are known."""
        return [] if sample.edges is None else [Item((sample,))]

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target (channels, grid_height, grid_width), weight (1, ...). DataError for edges of another size."""
        view, edges = views[0], item.sample.edges
        grid_size = self.grid_size(view.model_size)
        if edges is None:
            return {"edges": torch.zeros(self.channels, *grid_size), "edges_weight": torch.zeros(1, *grid_size)}
        values = edges()
        check_size(values, item.sample, "an edge map")
        means, share = map_image_to_grid(values, view, grid_size)
        side = self.stride / np.sqrt(abs(np.linalg.det(view.matrix[:2, :2])))  # of a cell, in image pixels
        target = np.clip(np.nan_to_num(means) * max(1.0, _ONE_LINE * float(side)), 0, 1).astype(np.float32)
        weight = (share >= MIN_KNOWN).astype(np.float32)
        picture = np.repeat(target[None], self.channels, axis=0)
        return {"edges": torch.from_numpy(picture), "edges_weight": torch.from_numpy(weight)[None]}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """`maps["edges"]`, (1, grid_height, grid_width) in [0, 1]."""
        maps = map_array(outputs["edges"], self.channels, self.grid_size(views[0].model_size), "edges")
        maps = maps.mean(axis=0, keepdims=True)
        return predict(item, maps={"edges": ScoreMap(np.clip(maps, 0, 1), views[0], "drawing")})

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """Image, truth and prediction; the error is the mean difference."""
        if "edges" not in prediction.maps:
            return None
        score = prediction.maps["edges"]
        found = map_grid_to_image(score.values[0], score.view)
        if item.sample.edges is None:
            return comparison(item, grey(found))
        truth = item.sample.edges()
        return comparison(item, grey(found), grey(truth), float(np.abs(found - truth).mean()), "mean difference")
