"""The one-shot decoder of Chong et al. (CVPR 2020), on the same encoders as the diffusion model: its baseline."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.diffusion.sampling import Sampling
from gensight.encodings.gaze import HEAD, IN_FRAME, MAP, SCENE
from gensight.methods.base import Method
from gensight.methods.gaze.directions import direction_losses
from gensight.methods.gaze.encoders import InFrameHead, SceneAndHead
from gensight.methods.gaze.losses import in_frame_loss, map_weights
from gensight.methods.gaze.prompts import head_boxes
from gensight.methods.loss import Loss
from gensight.samples import Batch, Size

MAP_WEIGHT = 100.0  # of the squared error's mean over cells


class ConvolutionalGaze(Method):
    """Joint map -> heatmap by transposed convolutions; squared error, and cross-entropy for in or out of the frame.

    Args:
        encoder: Both images.
        grid: (height, width) of the heatmap; the decoder's own output (64 x 64 for 7 x 7 features) is resized to it.
        in_frame_weight: Of the in/out loss, beside 100 times the heatmap's squared error, as published; 0 switches it
            off, as the published GazeFollow run does.
        direction_weight: Of the head's direction, which an encoder with `directions` reads.
    """

    def __init__(
        self,
        encoder: SceneAndHead,
        grid: Size = (64, 64),
        *,
        in_frame_weight: float = 1.0,
        direction_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.grid = encoder, (grid[0], grid[1])
        self.in_frame_weight, self.direction_weight = in_frame_weight, direction_weight
        wide, mid, low = encoder.channels, encoder.channels // 2, encoder.channels // 4
        self.decoder = nn.Sequential(
            *_convolution(2 * wide, wide),
            *_convolution(wide, mid),
            *_raise(mid, low, 3),
            *_raise(low, low // 2, 3),
            *_raise(low // 2, 1, 4),
            nn.Conv2d(1, 1, 1),
        )
        self.in_frame = InFrameHead(2 * wide)

    def forward(self, joint: Tensor) -> tuple[Tensor, Tensor]:
        """(maps (B, 1, grid), logits of in frame (B,)) from the encoder's joint map."""
        maps = self.decoder(joint)
        return functional.interpolate(maps, size=self.grid, mode="bilinear", align_corners=False), self.in_frame(joint)

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        seen = self.encoder(batch)
        maps, inside = self(seen.joint)
        errors = functional.mse_loss(maps, batch.targets[MAP], reduction="none").flatten(1).mean(1)
        return {
            MAP: Loss.over(errors, map_weights(batch), MAP_WEIGHT),
            IN_FRAME: in_frame_loss(inside, batch, self.in_frame_weight),
            **direction_losses(seen.direction, batch, self.direction_weight),
        }

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        return self.read(batch.images[SCENE], batch.images[HEAD], head_boxes(batch))

    def read(self, scenes: Tensor, heads: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """What `predict` gives, from images and head boxes (B, 4) as shares of the scenes' sides."""
        maps, inside = self(self.encoder.encode(scenes, heads, boxes).joint)
        return {MAP: maps, IN_FRAME: inside.sigmoid()[:, None]}


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def _raise(before: int, after: int, kernel: int) -> list[nn.Module]:
    norm = [nn.BatchNorm2d(after), nn.ReLU()] if after > 1 else []  # a ReLU before the last layer could die
    return [nn.ConvTranspose2d(before, after, kernel, stride=2, bias=False), *norm]
