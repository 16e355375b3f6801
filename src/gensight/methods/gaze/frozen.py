"""A frozen backbone's features, a head prompt, and a few transformer layers: Gaze-LLE (Ryan et al., CVPR 2025).

What differs: features of several layers are projected and added up (a diffusion backbone has many), and by choice the
close-up of the head, through the same backbone, joins the tokens of the scene.
"""

from functools import reduce
from typing import Any, Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Backbone, Layer
from gensight.backbones.cache import TIME_EMBEDDING
from gensight.diffusion.noise import item_uniform
from gensight.diffusion.sampling import Sampling
from gensight.encodings.gaze import HEAD, IN_FRAME, MAP, SCENE
from gensight.heads.maps import resize
from gensight.methods.base import Method, heads_and_backbone
from gensight.methods.gaze.directions import (
    SHARPNESS,
    Direction,
    DirectionHead,
    direction_fields,
    direction_losses,
)
from gensight.methods.gaze.losses import in_frame_loss, map_weights
from gensight.methods.gaze.prompts import box_coverage, distinct_scenes, head_boxes, sines
from gensight.methods.loss import Loss
from gensight.samples import Batch, Size

DROP_STREAM = 1 << 16  # of the random numbers that drop a block
DROP_PATH = 0.1  # largest probability of leaving out a block for an item, in training
MapLoss = Literal["bce", "softmax"]


class FrozenGaze(Method):
    """Reads a gaze heatmap and whether its target is in the image off a backbone's features.

    Each different scene of a batch goes through the backbone once, for any number of its people.

    Args:
        backbone: Any; frozen, with adapters, or trained.
        grid: (height, width) of the heatmap.
        direction_weight: Of the head's direction, read off the close-up and learned beside the map; its fields join the
            scene's tokens (see `directions`). 0: none of it, as published.

    The other arguments are fields of `config.gaze.GazeFrozenConfig`, which describes them.
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
        loss: MapLoss = "bce",
        in_frame_weight: float = 1.0,
        direction_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone, self.grid, self.loss, self.in_frame_weight = backbone, (grid[0], grid[1]), loss, in_frame_weight
        self.token_stride, self.close_up, self.direction_weight = token_stride, close_up, direction_weight
        self.project = LayerSum(backbone.layers, width)
        self.head_prompt = nn.Parameter(torch.randn(width) * 0.02)
        self.in_frame_token = nn.Parameter(torch.randn(width) * 0.02)
        self.close_up_project = LayerSum(backbone.layers, width) if close_up else None
        self.blocks = nn.ModuleList(_Block(width, num_heads) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(width)
        self.raise_map = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.map = nn.Conv2d(width, 1, 1)
        self.in_frame = nn.Sequential(nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, 1))
        self.direction = DirectionHead(width) if direction_weight else None
        self.fields = nn.Conv2d(len(SHARPNESS), width, 1) if direction_weight else None

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Direction | None]:
        """(logits of the map (B, 1, grid), logits of in frame (B,), the heads' direction where it is read)."""
        scene, shown, close_ups = self._features(batch)
        return self._outputs(scene, close_ups, head_boxes(batch), batch.views[0][SCENE].model_size, shown, batch.keys)

    def _outputs(
        self,
        scene: dict[str, Tensor],
        close_ups: dict[str, Tensor] | None,
        boxes: Tensor,
        model_size: Size,
        shown: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Direction | None]:
        """The same from features. `shown` names each item's scene, `keys` decide in training which blocks it skips."""
        size = -(-model_size[0] // self.token_stride), -(-model_size[1] // self.token_stride)
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
            hidden = block(hidden, self._kept(keys, number).to(hidden))
        hidden = self.norm(hidden)
        raised = hidden[:, 1 : 1 + size[0] * size[1]].transpose(1, 2).unflatten(2, size)
        logits = self.map(functional.gelu(self.raise_map(raised)))
        logits = functional.interpolate(logits, size=self.grid, mode="bilinear", align_corners=False)
        return logits, self.in_frame(hidden[:, 0]).squeeze(-1), direction

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        logits, inside, direction = self(batch)
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
        return self._answers(*self(batch)[:2])

    def read(self, scenes: Tensor, heads: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """What `predict` gives, from images and head boxes (B, 4) as shares of the scenes' sides."""
        near = self._see(heads) if self.close_up else None
        return self._answers(*self._outputs(self._see(scenes), near, boxes, (scenes.shape[-2], scenes.shape[-1]))[:2])

    def _answers(self, logits: Tensor, inside: Tensor) -> dict[str, Tensor]:
        largest = logits.amax((-2, -1), keepdim=True)
        maps = logits.sigmoid() if self.loss == "bce" else (logits - largest).exp()
        return {MAP: maps, IN_FRAME: inside.sigmoid()[:, None]}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return heads_and_backbone(self, self.backbone, most_rate=0.1)

    def _features(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor | None, dict[str, Tensor] | None]:
        """(features of the scenes, which one each item shows if not its own, features of the close-ups)."""
        if batch.features is not None:
            maps = [{n: t for n, t in slot.items() if n != TIME_EMBEDDING} for slot in batch.features]
            return maps[SCENE], None, maps[HEAD] if self.close_up else None
        images, shown = batch.images[SCENE], None
        if not self.training:  # in training each item has a view and colours of its own
            first, shown = distinct_scenes(batch)
            images = images[first]
        return self._see(images), shown, self._see(batch.images[HEAD]) if self.close_up else None

    def _see(self, images: Tensor) -> dict[str, Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone.trainable):
            return self.backbone.features(images).maps

    def _kept(self, keys: Tensor | None, number: int) -> Tensor:
        """What a block's answer is multiplied by, (B, 1, 1) or one number: 0 where it is left out."""
        rate = DROP_PATH * number / max(len(self.blocks) - 1, 1)
        if keys is None or not self.training or rate == 0:
            return torch.ones(())
        return (item_uniform(keys, DROP_STREAM + number) >= rate).float().view(-1, 1, 1) / (1 - rate)


class LayerSum(nn.Module):
    """Layers of a backbone -> one map of `width` channels: each is normalised, resized, projected; all are added up."""

    def __init__(self, layers: tuple[Layer, ...], width: int) -> None:
        super().__init__()
        self.names = [layer.name for layer in layers]
        self.norms = nn.ModuleList(nn.GroupNorm(1, layer.channels) for layer in layers)
        self.layers = nn.ModuleList(nn.Conv2d(layer.channels, width, 1) for layer in layers)

    def forward(self, maps: dict[str, Tensor], size: Size) -> Tensor:
        parts = (
            layer(resize(norm(maps[name].to(next(layer.parameters()).dtype)), size))
            for name, norm, layer in zip(self.names, self.norms, self.layers, strict=True)
        )
        return reduce(torch.add, parts)


class _Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, kept: Tensor) -> Tensor:
        normed = self.attention_norm(tokens)
        tokens = tokens + kept * self.attention(normed, normed, normed, need_weights=False)[0]
        return tokens + kept * self.feed(self.feed_norm(tokens))
