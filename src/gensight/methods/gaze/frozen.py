"""A frozen backbone's features, a head prompt, and a few transformer layers: Gaze-LLE (Ryan et al., CVPR 2025).

What differs: features of several layers are projected and added up (a diffusion backbone has many), and by choice the
close-up of the head, through the same backbone, joins the tokens of the scene.
"""

from collections.abc import Sequence
from typing import Any, Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Backbone, Features
from gensight.backbones.cache import TIME_EMBEDDING
from gensight.diffusion.noise import item_uniform
from gensight.diffusion.sampling import Sampling
from gensight.encodings.gaze import HEAD, IN_FRAME, MAP, SCENE
from gensight.errors import ConfigError
from gensight.methods.base import Method
from gensight.methods.gaze.directions import (
    SHARPNESS,
    Direction,
    DirectionHead,
    direction_fields,
    direction_losses,
)
from gensight.methods.gaze.layers import LayerSum
from gensight.methods.gaze.losses import in_frame_loss, map_weights
from gensight.methods.gaze.prompts import box_coverage, distinct_scenes, head_boxes, sines
from gensight.methods.loss import Loss
from gensight.samples import Batch, Size

DROP_STREAM = 1 << 16  # of the random numbers that drop a block
MapLoss = Literal["bce", "softmax"]


class FrozenGaze(Method):
    """Reads a gaze heatmap and whether its target is in the image off a backbone's features.

    Each different scene of a batch goes through the backbone once, for any number of its people.

    Args:
        backbone: Any; frozen, with adapters, or trained.
        grid: (height, width) of the heatmap.
        width: Channels of the tokens.
        num_blocks: Transformer blocks.
        num_heads: Attention heads of each.
        token_stride: Scene pixels per token.
        close_up: Tokens along each side of the head's close-up; 0 leaves it out, as in the paper.
        drop_path: Largest probability of leaving out a block for an item, in training.
        loss: `bce` per cell, as published; `softmax`, the place as one choice among cells (learns faster).
        in_frame_weight: Of the in/out loss; 0 switches the output's learning off.
        direction_weight: Of the head's direction, read off the close-up and learned beside the map; its fields join the
            scene's tokens (see `directions`). 0: none of it, as published.
    """

    def __init__(
        self,
        backbone: Backbone,
        grid: Size = (64, 64),
        *,
        width: int = 256,
        num_blocks: int = 3,
        num_heads: int = 8,
        token_stride: int = 14,
        close_up: int = 0,
        drop_path: float = 0.1,
        loss: MapLoss = "bce",
        in_frame_weight: float = 1.0,
        direction_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone, self.grid, self.loss, self.in_frame_weight = backbone, (grid[0], grid[1]), loss, in_frame_weight
        self.token_stride, self.close_up, self.drop_path = token_stride, close_up, drop_path
        self.project = LayerSum(backbone.layers, width)
        self.head_prompt = nn.Parameter(torch.randn(width) * 0.02)
        self.in_frame_token = nn.Parameter(torch.randn(width) * 0.02)
        self.close_up_project = LayerSum(backbone.layers, width) if close_up else None
        self.blocks = nn.ModuleList(_Block(width, num_heads) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(width)
        self.raise_map = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.map = nn.Conv2d(width, 1, 1)
        self.in_frame = nn.Sequential(nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, 1))
        if direction_weight and not close_up:
            raise ConfigError("the head's direction is read off close-ups, and there are none",
                              where="method.direction_weight", hint="set method.close_up")  # fmt: skip
        self.direction_weight = direction_weight
        self.direction = DirectionHead(width) if direction_weight else None
        self.fields = nn.Conv2d(len(SHARPNESS), width, 1) if direction_weight else None

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(logits of the map (B, 1, grid), logits of in frame (B,))."""
        return self._outputs(self._see_all(batch)[0], batch.views[0][SCENE].model_size)

    def _see_all(self, batch: Batch) -> tuple[Tensor, Direction | None]:
        scene, shown, close_ups = self._features(batch)
        kept = [self._kept(batch, number) for number in range(len(self.blocks))]
        return self._hidden(scene, close_ups, head_boxes(batch), batch.views[0][SCENE].model_size, shown, kept)

    def read(
        self, scene: dict[str, Tensor], close_ups: dict[str, Tensor] | None, boxes: Tensor, model_size: Size
    ) -> tuple[Tensor, Tensor]:
        """The same from features.

        Args:
            scene: Of each item's scene.
            close_ups: Of each item's head; None where the method does without.
            boxes: (B, 4) heads, as shares of the scene's sides.
            model_size: Of the scene's view, in pixels.
        """
        return self._outputs(self._hidden(scene, close_ups, boxes, model_size)[0], model_size)

    def _token_grid(self, model_size: Size) -> Size:
        return -(-model_size[0] // self.token_stride), -(-model_size[1] // self.token_stride)

    def _hidden(
        self,
        scene: dict[str, Tensor],
        close_ups: dict[str, Tensor] | None,
        boxes: Tensor,
        model_size: Size,
        shown: Tensor | None = None,
        kept: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Direction | None]:
        """((B, 1 + scene + close-up, width), the heads' direction where it is read).

        `shown` names each item's scene, `kept` scales each block's answer.
        """
        size = self._token_grid(model_size)
        maps = self.project(scene, size)
        maps = maps + sines(size, maps.shape[1]).to(maps)
        coverage = box_coverage(boxes, size).to(maps)
        maps = (maps if shown is None else maps[shown]) + coverage * self.head_prompt[:, None, None]
        direction, close_up_tokens = None, []
        if close_ups is not None and self.close_up_project is not None:
            near = self.close_up_project(close_ups, (self.close_up, self.close_up))
            if self.direction is not None and self.fields is not None:
                direction = self.direction(near)
                maps = maps + self.fields(direction_fields(direction, boxes, size))
            near = near + sines((self.close_up, self.close_up), near.shape[1]).to(near)
            close_up_tokens.append(near.flatten(2).transpose(1, 2))
        first = self.in_frame_token.expand(boxes.shape[0], 1, -1)
        hidden = torch.cat([first, maps.flatten(2).transpose(1, 2), *close_up_tokens], dim=1)
        for number, block in enumerate(self.blocks):
            hidden = block(hidden, kept[number].to(hidden) if kept else None)
        return self.norm(hidden), direction

    def _outputs(self, hidden: Tensor, model_size: Size) -> tuple[Tensor, Tensor]:
        size = self._token_grid(model_size)
        raised = hidden[:, 1 : 1 + size[0] * size[1]].transpose(1, 2).unflatten(2, size)
        logits = self.map(functional.gelu(self.raise_map(raised)))
        logits = functional.interpolate(logits, size=self.grid, mode="bilinear", align_corners=False)
        return logits, self.in_frame(hidden[:, 0]).squeeze(-1)

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        hidden, direction = self._see_all(batch)
        logits, inside = self._outputs(hidden, batch.views[0][SCENE].model_size)
        target = batch.targets[MAP]
        match self.loss:
            case "bce":
                cells = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
                each = cells.flatten(1).mean(1)
            case "softmax":
                goal = target.flatten(1) / target.flatten(1).sum(1, keepdim=True).clamp(min=1e-6)
                each = -(goal * logits.flatten(1).log_softmax(-1)).sum(1)
            case _:
                assert_never(self.loss)
        return {
            MAP: Loss.over(each, map_weights(batch)),
            IN_FRAME: in_frame_loss(inside, batch, self.in_frame_weight),
            **direction_losses(direction, batch, self.direction_weight),
        }

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        return self.answers(*self(batch))

    def answers(self, logits: Tensor, inside: Tensor) -> dict[str, Tensor]:
        """Maps (B, 1, grid) in [0, 1] and probabilities (B, 1) from logits."""
        largest = logits.amax((-2, -1), keepdim=True)
        maps = logits.sigmoid() if self.loss == "bce" else (logits - largest).exp()
        return {MAP: maps, IN_FRAME: inside.sigmoid()[:, None]}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        own = [p for n, p in self.named_parameters() if not n.startswith("backbone.") and p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": own, "lr_scale": 1.0}]
        backbone = [p for p in self.backbone.parameters() if p.requires_grad]
        if backbone:
            groups.append({"params": backbone, "lr_scale": 0.1})
        return groups

    def _features(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor] | None]:
        """(features of the different scenes, which one each item shows, features of the close-ups)."""
        everyone = torch.arange(len(batch), device=head_boxes(batch).device)
        if batch.features is not None:
            maps = [{n: t for n, t in slot.items() if n != TIME_EMBEDDING} for slot in batch.features]
            return maps[SCENE], everyone, maps[HEAD] if self.close_up else None
        images, shown = batch.images[SCENE], everyone
        if not self.training:  # in training each item has a view and colours of its own
            first, shown = distinct_scenes(batch)
            images = images[first]
        scene = self._see(images).maps
        return scene, shown, self._see(batch.images[HEAD]).maps if self.close_up else None

    def _see(self, images: Tensor) -> Features:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone.trainable):
            return self.backbone.features(images)

    def _kept(self, batch: Batch, number: int) -> Tensor:
        """(B, 1, 1): what a block's answer is multiplied by: 0 where it is left out."""
        rate = self.drop_path * number / max(len(self.blocks) - 1, 1)
        if not self.training or rate == 0:
            return torch.ones(len(batch), 1, 1)
        return (item_uniform(batch.keys, DROP_STREAM + number) >= rate).float().view(-1, 1, 1) / (1 - rate)


class _Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        factor = 1.0 if kept is None else kept
        normed = self.attention_norm(tokens)
        tokens = tokens + factor * self.attention(normed, normed, normed, need_weights=False)[0]
        return tokens + factor * self.feed(self.feed_norm(tokens))
