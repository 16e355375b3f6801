"""The position of the head in the scene, as an input of the networks."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gensight.encodings.gaze import SCENE, head_in_scene
from gensight.samples import Batch, Size


def head_boxes(batch: Batch) -> Float[Tensor, "batch 4"]:
    """The boxes that the close-ups show, as shares of the scenes' sides; on the keys' device."""
    boxes = np.stack([head_in_scene(views) for views in batch.views])
    return torch.from_numpy(boxes.astype(np.float32)).to(_device(batch))


def box_coverage(boxes: Float[Tensor, "batch 4"], size: Size) -> Float[Tensor, "batch 1 height width"]:
    """The share of each cell that a box covers, in [0, 1]: a box thinner than a cell doesn't vanish."""
    columns = _overlap(boxes[:, 0], boxes[:, 2], size[1])
    rows = _overlap(boxes[:, 1], boxes[:, 3], size[0])
    return (rows[:, :, None] * columns[:, None, :])[:, None]


def _overlap(low: Tensor, high: Tensor, num_cells: int) -> Tensor:
    cells = torch.arange(num_cells, device=low.device)
    covered = torch.minimum(high[:, None] * num_cells, cells + 1) - torch.maximum(low[:, None] * num_cells, cells)
    return covered.clamp(0, 1)


def sines(size: Size, channels: int) -> Float[Tensor, "channels height width"]:
    """Fixed two-dimensional positions: half of the channels encode x, half y, by sines of falling frequency."""
    quarter = channels // 4
    rates = 10_000 ** (-torch.arange(quarter) / max(quarter, 1))
    maps = []
    for axis, side in enumerate((size[1], size[0])):
        angles = (torch.arange(side) + 0.5)[None] * rates[:, None]
        waves = torch.cat([angles.sin(), angles.cos()])
        maps.append(waves[:, None, :].expand(-1, *size) if axis == 0 else waves[:, :, None].expand(-1, *size))
    encoded = torch.cat(maps)
    return torch.cat([encoded, encoded.new_zeros(channels - len(encoded), *size)])


def distinct_scenes(batch: Batch) -> tuple[list[int], Tensor]:
    """(places of the different scenes in the batch, int64 (B,) which of them each item shows).

    People of one image share its scene where both have the same view.
    """
    places: dict[tuple[str, bytes], int] = {}
    first: list[int] = []
    shown: list[int] = []
    for index, (item, views) in enumerate(zip(batch.items, batch.views, strict=True)):
        name = (item.samples[SCENE].key, views[SCENE].matrix.tobytes())
        if name not in places:
            places[name] = len(first)
            first.append(index)
        shown.append(places[name])
    return first, torch.tensor(shown, device=_device(batch))


def _device(batch: Batch) -> torch.device:
    if batch.images:
        return batch.images[0].device
    assert batch.features is not None, "a batch has images or features"
    return next(iter(batch.features[0].values())).device
