"""Gaze following: one heatmap per head, and the probability that the gaze target lies in the image.

An item shows its image twice: the scene, and a close-up of the head. The close-up's view *is* the head box, padding,
jitter and flips included; `head_in_scene` maps it into the scene, so that no separate box is passed with the views.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.drawing import draw_gaze, draw_heatmaps
from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.grids import map_array
from gensight.encodings.heatmap import gaussians
from gensight.encodings.panels import Panel, sheet
from gensight.encodings.peaks import largest_cells
from gensight.geometry import (
    box_image_to_model,
    box_model_to_image,
    grid_to_image,
    image_to_model,
    inside,
    model_to_grid,
)
from gensight.samples import Array, Gaze, Instance, Item, Prediction, Sample, ScoreMap, Size, View

Kernel = Literal["exact", "chong", "gaze-lle"]
MAP, IN_FRAME, POINT, EYE = "gaze", "in_frame", "gaze_point", "eye"
SCENE, HEAD = 0, 1  # slots of an item


class GazeMap(Encoding):
    """A heatmap of the target over the scene, and the probability that there is one in the image.

    Targets: `gaze` (1, grid) with weight 0 where the target is out of frame; `in_frame` (1,); `gaze_point` (2,), x and
    y as shares of the scene's width and height; and `eye` (2,), where the eye lies in the close-up, as shares of its
    sides, with weight 0 where it is unlabelled. Several annotators give the mean of their Gaussians, scaled to a peak
    of 1.

    Decoding reads the centre of the map's largest cell (exact to half a cell). Public codes decode to the cell's upper
    left corner; their protocols do so too, from the map that the prediction keeps.

    Args:
        grid: (height, width) of the map in cells, whatever the view's size.
        sigma: The Gaussian's standard deviation in cells.
        kernel: An `exact` Gaussian, or that of the public codes: 6 sigma + 1 cells wide, its centre at the cell's
            corner below the target (so its peak is off by up to a cell). See `quantised_gaussian`.
    """

    name = "gaze"
    num_samples = 2

    def __init__(self, grid: Size = (64, 64), sigma: float = 3.0, kernel: Kernel = "exact") -> None:
        self.grid, self.sigma, self.kernel = (grid[0], grid[1]), sigma, kernel

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        share = self.sigma / float(np.sqrt(self.grid[0] * self.grid[1]))
        return {MAP: OutputSpec(1, "blobs", share), IN_FRAME: OutputSpec(1, "vector")}

    def items(self, sample: Sample) -> list[Item]:
        """One for each person with a head box in the image whose gaze target is located or known to be outside."""
        return [
            Item((sample, sample), instance=number)
            for number, one in enumerate(sample.instances or ())
            if one.head_box is not None and one.gaze is not None and _in_frame(one.gaze) is not None
        ]

    def items_to_predict(self, sample: Sample) -> list[Item]:
        """One for each head box, labelled or not."""
        people = enumerate(sample.instances or ())
        return [Item((sample, sample), instance=number) for number, one in people if one.head_box is not None]

    def grid_size(self, model_size: Size) -> Size:
        return self.grid

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        view, subject = views[SCENE], item.subject
        gaze = None if subject is None else subject.gaze
        where = None if gaze is None else _in_frame(gaze)
        values, point, shown = np.zeros((1, *self.grid), np.float32), np.zeros(2), False
        if gaze is not None and where:
            points = image_to_model(gaze.points, view)
            seen = inside(points, view.model_size)
            shown = bool(seen.any())
            if shown:
                cells = model_to_grid(points[seen], view.model_size, self.grid)
                values = self._draw(cells)
                point = points[seen].mean(0) / np.array(view.model_size[::-1])
        return {
            MAP: torch.from_numpy(values),
            f"{MAP}_weight": torch.full((1, 1, 1), float(shown)),
            IN_FRAME: torch.tensor([float(shown)]),
            f"{IN_FRAME}_weight": torch.tensor([float(where is not None)]),
            POINT: torch.from_numpy(point.astype(np.float32)),
            **_eye_target(None if gaze is None else gaze.eye, views[HEAD]),
        }

    def _draw(self, cells: Array) -> Array:
        if self.kernel == "exact":
            maps = gaussians(cells, self.grid, self.sigma)
        else:
            maps = np.stack([quantised_gaussian(cell, self.grid, self.sigma, self.kernel) for cell in cells])
        if len(maps) == 1:
            return maps
        mean = maps.mean(0, keepdims=True)
        scaled: Array = mean / max(float(mean.max()), 1e-12)
        return scaled.astype(np.float32)

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """One instance with its subject's head box, and a gaze of one point in the image frame.

        The point is kept where the target is predicted out of frame (the best guess if it is inside).
        """
        values, view = map_array(outputs[MAP], 1, self.grid, MAP), views[SCENE]
        values = np.nan_to_num(values)
        cells = largest_cells(values)[0] + 0.5
        probability = float(outputs[IN_FRAME].float().clamp(0, 1))
        spread = outputs.get("spread")
        subject = item.subject
        gaze = Gaze(
            points=grid_to_image(cells, view, self.grid),
            in_frame=probability >= 0.5,
            in_frame_probability=probability,
            spread=None if spread is None else float(spread) * float(np.hypot(*item.sample.size)),
        )
        instance = Instance(
            category="person" if subject is None else subject.category,
            box=None if subject is None else subject.box,
            head_box=None if subject is None else subject.head_box,
            gaze=gaze,
            identity=None if subject is None else subject.identity,
            confidence=1.0 if subject is None else subject.confidence,
        )
        return Prediction(
            sample_key=item.sample.key,
            size=item.sample.size,
            instances=(instance,),
            maps={map_name(item): ScoreMap(values, view)},
            item_key=item.key,
            group=item.sample.group,
        )

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """The truth, and the prediction over its map; the error is the distance to the mean target."""
        image, subject = item.sample.image(), item.subject
        gaze = prediction.instances[0].gaze
        assert subject is not None and gaze is not None  # checked by is_gaze
        truth = image if subject.gaze is None else draw_gaze(image, subject.gaze, subject.head_box)
        error = float("nan")
        if subject.gaze is not None and len(subject.gaze.points):
            error = float(np.linalg.norm(gaze.points[0] - subject.gaze.points.mean(0)) / np.hypot(*item.sample.size))
        pictures = [truth, draw_gaze_prediction(image, prediction)]
        return Panel(sheet(pictures, ["truth", "predicted"]), error, "of the diagonal")


def _eye_target(eye: Array | None, close_up: View) -> dict[str, Tensor]:
    known = eye is not None and bool(np.isfinite(eye).all())
    place = np.full(2, 0.5)
    if eye is not None and known:
        place = image_to_model(eye[None], close_up)[0] / np.array(close_up.model_size[::-1])
    shares = np.clip(place, -0.5, 1.5).astype(np.float32)
    return {EYE: torch.from_numpy(shares), f"{EYE}_weight": torch.tensor([float(known)])}


def map_name(item: Item) -> str:
    """Name of an item's map in its prediction; people of one image keep theirs apart when predictions are merged."""
    return MAP if item.instance is None else f"{MAP}-{item.instance}"


def head_in_scene(views: tuple[View, ...]) -> Array:
    """float64 (4,): the head box that the close-up shows, in the scene's model frame as shares of its sides."""
    height, width = views[HEAD].model_size
    box = box_image_to_model(box_model_to_image(np.array([0.0, 0.0, width, height]), views[HEAD]), views[SCENE])
    shares: Array = box / np.tile(np.array(views[SCENE].model_size[::-1]), 2)
    return shares


def quantised_gaussian(centre: Array, grid: Size, sigma: float, kernel: Kernel = "chong") -> Array:
    """float32 grid: the kernel that a published code draws, at `centre` (x, y) in cells.

    Chong et al. (CVPR 2020) truncate the corners towards 0, so near the upper and left borders the whole kernel lies a
    cell further in. Gaze-LLE (Ryan et al., CVPR 2025) truncates the centre, and so has its peak in the target's cell.
    """
    if kernel == "gaze-lle":
        centre = np.floor(centre)
    reach = round(3 * sigma)
    low, high = (centre - reach).astype(int), (centre + reach + 1).astype(int)
    offsets = np.arange(2 * reach + 1) - reach
    values = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    drawn = np.zeros(grid, np.float32)
    rows = slice(max(low[1], 0), min(high[1], grid[0]))
    columns = slice(max(low[0], 0), min(high[0], grid[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        drawn[rows, columns] = values[
            rows.start - low[1] : rows.stop - low[1], columns.start - low[0] : columns.stop - low[0]
        ]
    return drawn


def _in_frame(gaze: Gaze) -> bool | None:
    """Whether the target is in the image and located; None where nothing is known (or only that it is inside)."""
    if gaze.in_frame is False:
        return False
    return True if len(gaze.points) else None


def is_gaze(prediction: Prediction) -> bool:
    """Whether this is a prediction of gaze."""
    return bool(prediction.instances) and all(
        one.gaze is not None and one.gaze.in_frame_probability is not None for one in prediction.instances
    )


def draw_gaze_prediction(image: Array, prediction: Prediction) -> Array:
    """uint8 RGB: everybody of a (merged) prediction; the maps are those of people who look into the image."""
    picture = image
    people = prediction.instances
    for score, one in zip(prediction.maps_of(MAP), people, strict=False):
        if one.gaze is not None and one.gaze.in_frame:
            low, high = float(np.min(score.values)), float(np.max(score.values))
            picture = draw_heatmaps(picture, score, (low, max(high, low + 1e-6)))
    for one in people:
        assert one.gaze is not None  # checked by is_gaze
        picture = draw_gaze(picture, one.gaze, one.head_box)
    return picture
