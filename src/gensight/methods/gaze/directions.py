"""Which way a head is turned, and where in the scene that leads: gaze direction fields (Lian et al., ACCV 2018, eq. 1).

The direction is read off the close-up and has a loss of its own; the map's loss does not reach it through the fields.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gensight.encodings.gaze import EYE, IN_FRAME, POINT
from gensight.methods.gaze.prompts import head_boxes
from gensight.methods.loss import Loss
from gensight.samples import Batch, Size

DIRECTION = "direction"
SHARPNESS = (1, 4, 16)  # powers of the cosine: a wide cone, a middle one, a narrow one
_POOLED = 4  # cells along each side of the head's map that the direction is read off


class Direction(NamedTuple):
    """What is predicted from a close-up.

    Attributes:
        eye: (B, 2) where the eye lies, x and y as shares of the close-up's sides.
        towards: (B, 2) from there to the target, a unit vector in shares of the scene's sides.
    """

    eye: Float[Tensor, "batch 2"]
    towards: Float[Tensor, "batch 2"]


class DirectionHead(nn.Module):
    """Predicts a direction from the features of close-ups.

    Args:
        channels: Of the features.
        width: Hidden channels.
    """

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.GroupNorm(1, width),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(_POOLED),
            nn.Flatten(),
            nn.Linear(width * _POOLED**2, width),
            nn.GELU(),
            nn.Linear(width, 4),
        )

    def forward(self, close_ups: Float[Tensor, "batch channels height width"]) -> Direction:
        output = self.layers(close_ups)
        return Direction(output[:, :2] + 0.5, functional.normalize(output[:, 2:], dim=1))


def direction_fields(
    direction: Direction, boxes: Float[Tensor, "batch 4"], size: Size
) -> Float[Tensor, "batch sharpness height width"]:
    """For each cell of a scene, how far it lies in the direction: the angle's cosine (not below 0) to several powers.

    Args:
        direction: Of each head.
        boxes: The regions of the close-ups, as shares of the scene's sides.
        size: (height, width) in cells.
    """
    eye, towards = _in_scene(direction.eye.detach(), boxes), direction.towards.detach()
    x = (torch.arange(size[1], device=eye.device) + 0.5) / size[1] - eye[:, :1]
    y = (torch.arange(size[0], device=eye.device) + 0.5) / size[0] - eye[:, 1:]
    along = x[:, None, :] * towards[:, 0, None, None] + y[:, :, None] * towards[:, 1, None, None]
    distance = (x[:, None, :] ** 2 + y[:, :, None] ** 2 + 1e-6).sqrt()
    cosine = (along / distance).clamp(min=0)
    return torch.stack([cosine**power for power in SHARPNESS], dim=1)


def direction_losses(direction: Direction | None, batch: Batch, weight: float) -> dict[str, Loss]:
    """1 - cosine of the direction, of those who look into the image, and the absolute error of the eye's place.

    Both count `weight`; there is neither without a direction.

    The eye's place helps to predict a head's direction, also of those who look out of the frame. Where the eye is not
    labelled, the direction is that from the middle of the head's box.
    """
    if direction is None:
        return {}
    known, boxes = batch.targets[f"{EYE}_weight"].flatten(), head_boxes(batch)
    eye_errors = (direction.eye - batch.targets[EYE]).abs().sum(1)
    eyes = torch.where(known[:, None] > 0, batch.targets[EYE], torch.full_like(batch.targets[EYE], 0.5))
    towards = functional.normalize(batch.targets[POINT] - _in_scene(eyes, boxes), dim=1)
    turned = 1 - (direction.towards * towards).sum(1)
    return {
        DIRECTION: Loss.over(turned, batch.targets[IN_FRAME].flatten(), weight),
        EYE: Loss.over(eye_errors, known, weight),
    }


def _in_scene(places: Tensor, boxes: Tensor) -> Tensor:
    """Shares of a close-up's sides -> shares of the scene's."""
    return boxes[:, :2] + places * (boxes[:, 2:] - boxes[:, :2])
