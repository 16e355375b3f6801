"""Predictions painted as images: what masks, boxes, depth and classes share, and their colour codes.

A painted answer is an RGB picture that covers the view, in [0, 1], named `painted`. Numbers are coded by colours as far
apart as the cube allows (`code_colours`), and read back as the nearest one; how near it is, against the second
nearest, is the confidence.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import ImageColor
from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.grids import map_array
from gensight.errors import ConfigError, did_you_mean
from gensight.geometry import grid_to_image, image_to_grid, pixel_centres
from gensight.samples import Array, Instance, Item, Prediction, Size, View

OUTPUT = "painted"
EVEN = 0.5  # threshold midway between black and a colour
_LEVELS = (9, 17)  # of each channel: the second cube holds the first, and is used when that is full
NUM_COLOURS = _LEVELS[0] ** 3 - 1  # for single pixels: differences below 1/8 are lost in decoding
_DISTANCES = 1 << 22  # between pixels and colours, held at once
NUM_CLASS_COLOURS = _LEVELS[1] ** 3 - 1  # for a whole picture of one colour: 1/16


@lru_cache(maxsize=32)
def _codes(num: int) -> tuple[tuple[float, float, float], ...]:
    chosen = [np.zeros(3), np.ones(3)]
    for levels in _LEVELS:
        _choose(chosen, levels, min(num + 1, levels**3))
    return tuple((float(r), float(g), float(b)) for r, g, b in chosen[: num + 1])


def _choose(chosen: list[Array], num_levels: int, enough: int) -> None:
    """Adds colours of a cube, each as far as it can be from those before it, until there are enough."""
    if len(chosen) >= enough:
        return
    levels = np.linspace(0, 1, num_levels)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    distance = np.min([((cube - one) ** 2).sum(1) for one in chosen], axis=0)
    while len(chosen) < enough:
        best = int(distance.argmax())
        chosen.append(cube[best])
        distance = np.minimum(distance, ((cube - cube[best]) ** 2).sum(1))


def code_colours(num: int) -> Array:
    """Black, and `num` colours, the first of them white, each as far as it can be from those before it.

    The choice is greedy, so the first n colours of a longer palette are those of a shorter one.

    Returns:
        float32 (1 + num, 3) in [0, 1].

    Raises:
        ConfigError: More than `NUM_CLASS_COLOURS` colours.
    """
    if not 0 <= num <= NUM_CLASS_COLOURS:
        raise ConfigError(f"a palette has 1 to {NUM_CLASS_COLOURS} colours, got {num}")
    return np.array(_codes(max(num, 1)), dtype=np.float32)[: num + 1]


def class_colours(queried: Sequence[str], labels: Sequence[str]) -> Array:
    """Black, and the colours of the queried classes of whole images: those of the vocabulary `labels` for several
    classes of it, since the instruction need not name them; else in the order of `queried`."""
    if len(queried) > 1 and set(queried) <= set(labels):
        return code_colours(len(labels))[[0, *(1 + labels.index(name) for name in queried)]]
    return code_colours(len(queried))


def named_colour(name: str, where: str) -> Array:
    """float32 (3,) in [0, 1] of a name of CSS or `#RRGGBB`. Raises ConfigError where there is none."""
    try:
        return np.array(ImageColor.getcolor(name, "RGB"), dtype=np.float32) / 255
    except ValueError:
        hint = did_you_mean(name.lower(), tuple(ImageColor.colormap)) or "a name of CSS such as blue, or #RRGGBB"
        raise ConfigError(f"there is no colour `{name}`", where=where, hint=hint) from None


def nearest_codes(picture: Array, colours: Array, threshold: float = EVEN) -> tuple[Array, Array]:
    """The nearest colour of each pixel, and its confidence.

    Args:
        picture: float (height, width, 3).
        colours: float (num_colours, 3), at least two, the first of them black.
        threshold: Share of the way from black to a colour from which a pixel has that colour.

    Returns:
        int32 (height, width), and float32 (height, width) in [0, 1]: 1 on the colour itself, 0 midway between two.
    """
    found = [_nearest(rows, colours, threshold) for rows in _pixels(picture, colours)]
    best, sure = (np.concatenate(one).reshape(picture.shape[:2]) for one in zip(*found, strict=True))
    return best.astype(np.int32), sure


def _pixels(picture: Array, colours: Array) -> list[Array]:
    """Pixels as float32 (num, 3), in blocks whose distances to all colours fit into memory."""
    flat = picture.reshape(-1, 3).astype(np.float32)
    at_once = max(1, _DISTANCES // len(colours))
    return [flat[first : first + at_once] for first in range(0, len(flat), at_once)]


def _nearest(flat: Array, colours: Array, threshold: float) -> tuple[Array, Array]:
    squared = _squared_distances(flat, colours)
    squared[:, 0] *= ((1 - threshold) / threshold) ** 2
    order = np.argpartition(squared, 1, axis=1)[:, :2]
    two = np.sqrt(np.maximum(np.take_along_axis(squared, order, 1), 0))
    best = np.where(two[:, 0] > two[:, 1], order[:, 1], order[:, 0])
    near, far = two.min(1), two.max(1)
    return best, np.divide(far - near, far + near, out=np.zeros_like(near), where=far + near > 0)


def colour_temperature(colours: Array) -> float:
    """Temperature of a palette for the softmax of negative squared distances: 0.05 for ten colours, and e^-7.8 for the
    nearest other on a colour itself."""
    squared = _squared_distances(colours, colours)
    return 0.128 * float(squared[~np.eye(len(colours), dtype=bool)].min())


def colour_shares(picture: Array, colours: Array) -> Array:
    """The share of a picture that each colour has: the mean over pixels of the softmax over colours.

    Args:
        picture: float (height, width, 3).
        colours: float (num_colours, 3), at least two.

    Returns:
        float64 (num_colours,), adding up to 1.
    """
    temperature = colour_temperature(colours)
    blocks = _pixels(picture, colours)
    from scipy.special import softmax  # slow to import

    shares = [softmax(-_squared_distances(rows, colours) / temperature, axis=1).sum(0) for rows in blocks]
    return np.stack(shares).astype(np.float64).sum(0) / (picture.size // 3)


def _squared_distances(flat: Array, colours: Array) -> Array:
    return np.asarray((flat**2).sum(1)[:, None] - 2 * flat @ colours.T + (colours**2).sum(1)[None])


def cells_nearest(values: Array, view: View, grid_size: Size, fill: int) -> Array:
    """The value at each cell's centre, nearest neighbour, so that numbers stay numbers; `fill` outside the image."""
    return _values_at(grid_to_image(pixel_centres(grid_size), view, grid_size), values, fill)


def image_nearest(cells: Array, view: View, fill: float) -> Array:
    """The cell that each pixel of the image lies in; `fill` outside the view."""
    grid_size: Size = (cells.shape[0], cells.shape[1])
    return _values_at(image_to_grid(pixel_centres(view.image_size), view, grid_size), cells, fill)


def _values_at(points: Array, values: Array, fill: float) -> Array:
    places = np.floor(points + 1e-9).astype(int)
    x, y = places[..., 0], places[..., 1]
    inside = (x >= 0) & (y >= 0) & (x < values.shape[1]) & (y < values.shape[0])
    found = np.full(x.shape, fill, dtype=values.dtype)
    found[inside] = values[y[inside], x[inside]]
    return found


class OnePicture(Encoding):
    """Output `painted`: (3, height, width) of the model frame in [0, 1]; `painted_weight`: (1, height, width)."""

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {OUTPUT: OutputSpec(3, "dense-image")}

    def grid_size(self, model_size: Size) -> Size:
        return model_size


class Painted(OnePicture):
    """A prediction painted in RGB; subclasses define what is painted."""

    task: str = ""
    most_classes: int = NUM_COLOURS  # in one query

    @abstractmethod
    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        """float32 (height, width, 3) and bool (height, width), what is known, of the model frame; None: nothing is."""

    @abstractmethod
    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """The prediction that a painted answer, float32 (height, width, 3) in [0, 1], stands for."""

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target and weight. DataError where labels do not fit the image."""
        size = views[0].model_size
        picture, known = self.paint(item, views[0]) or (np.zeros((*size, 3)), np.zeros(size, dtype=bool))
        target = np.ascontiguousarray(np.where(known[..., None], picture, 0).transpose(2, 0, 1), dtype=np.float32)
        weight = torch.from_numpy(known[None].astype(np.float32))
        return {OUTPUT: torch.from_numpy(target), f"{OUTPUT}_weight": weight}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """See `read`."""
        maps = map_array(outputs[OUTPUT], 3, views[0].model_size, OUTPUT)
        return self.read(np.clip(maps.transpose(1, 2, 0), 0, 1), item, views[0])


def query_classes(item: Item) -> Sequence[str]:
    """The classes of an item's query; none without a query."""
    return () if item.query is None else item.query.options


def answer_prediction(item: Item, instances: Sequence[Instance] = (), **fields: Any) -> Prediction:
    """The prediction of an item with these instances, or these other fields."""
    sample = item.sample
    return Prediction(sample.key, sample.size, tuple(instances), item_key=item.key, group=sample.group, **fields)
