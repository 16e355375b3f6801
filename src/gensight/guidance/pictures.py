"""The pictures of `gensight guide`: sheets of targets beside results, and the film of the steps."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.drawing import contact_sheet, draw_drags
from gensight.files.videos.writing import VideoWriter
from gensight.guidance.controls import read_picture
from gensight.guidance.goals import DragGoal, Goal, SpatialGoal
from gensight.samples import Array, Size

STEPS_PER_SECOND = 8  # of the film of the steps


def draw_image(image: Tensor) -> Array:
    """float (3, height, width) in [0, 1] as uint8 (height, width, 3)."""
    return (255 * image.detach().float().cpu().clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()


def draw_sheet(
    backbone: DiffusionBackbone, goals: Sequence[Goal], reference: Path | None, images: tuple[Tensor, Tensor]
) -> Array:
    """Three columns: the target, the unguided image, the guided image; below, the readouts of each.

    Args:
        backbone: What the goals' heads read.
        goals: The guidance goals of the two images.
        reference: The source or reference picture; or None.
        images: The unguided and the guided one, (3, height, width) in [0, 1] each.

    Returns:
        uint8 (sheet_height, sheet_width, 3).
    """
    before, after = images
    size = (before.shape[-2], before.shape[-1])
    blank = np.full((*size, 3), 255, np.uint8)
    first = blank if reference is None else draw_image(read_picture(reference, size))
    tiles = [first, draw_image(before), draw_image(after)]
    captions = ["" if reference is None else reference.name, "unguided", "guided"]
    for goal in goals:
        if isinstance(goal, SpatialGoal):
            maps = [goal.control, *_readouts(backbone, goal, images)]
            tiles += [_draw_map(one, size) for one in maps]
            captions += ["control", "readout, unguided", "readout, guided"]
        if isinstance(goal, DragGoal):
            arrows = [draw_drags(picture, goal.handles.numpy(), goal.targets.numpy()) for picture in tiles[1:3]]
            tiles += [blank, *arrows]
            captions += ["", "drag, unguided", "drag, guided"]
    return contact_sheet(tiles, 3, captions, tile=size)


def write_film(path: Path, frames: Sequence[Array]) -> None:
    """Writes pictures, one per step, as a video."""
    with VideoWriter(path, Fraction(STEPS_PER_SECOND)) as video:
        for frame in frames:
            video.write(frame)


@torch.no_grad()
def _readouts(backbone: DiffusionBackbone, goal: SpatialGoal, images: Sequence[Tensor]) -> list[Tensor]:
    """The predictions of a goal's head on finished images, at the backbone's own, nearly clean, timestep."""
    size = (images[0].shape[-2], images[0].shape[-1])
    return [goal.head(backbone.features(image[None]), size, clamp=True)[0] for image in images]


def _draw_map(values: Tensor, size: Size) -> Array:
    """A map (channels, grid_height, grid_width) in [0, 1] as a picture of this size."""
    raised = torch.nn.functional.interpolate(values[None].float().cpu(), size=size, mode="nearest")[0]
    return draw_image(raised.expand(3, -1, -1) if len(raised) == 1 else raised[:3])
