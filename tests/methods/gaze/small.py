"""Gaze methods small enough for tests, and batches of drawn people."""

import torch
from torch import nn

from gensight.backbones.scratch import ScratchEncoder
from gensight.encodings.gaze import GazeMap
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw
from gensight.loading.gaze_views import GazeViews
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.directions import DirectionHead
from gensight.methods.gaze.encoders import Encoded, SceneAndHead
from gensight.methods.gaze.frozen import FrozenGaze, LayerSum
from gensight.methods.gaze.prompts import box_coverage, sines
from gensight.readers.puppets import PuppetsReader

GRID = (16, 16)
CASES = Cases(
    PuppetsReader(6, seed=3, size=(48, 48), truths=("gaze",), num_subjects=(2, 3)),
    GazeMap(GRID, 1.0),
    GazeViews((64, 64), "stretched-frame", 1.2),
)


def batch(count=4, first=0):
    """People who look out of the frame train an empty map, so that everybody counts."""
    made = collate([CASES[Draw(first + index, 0, first + index + 1)] for index in range(count)])
    made.targets["gaze_weight"].fill_(1)
    return made


def frozen(**settings):
    torch.manual_seed(0)
    return FrozenGaze(
        ScratchEncoder((8, 8, 16)), GRID, width=16, num_blocks=2, num_heads=2, token_stride=16, **settings
    )


def convolutional(directions=False, **settings):
    torch.manual_seed(0)
    return ConvolutionalGaze(SceneAndHead("small", "attended", directions=directions), GRID, **settings)


class FewLayers(SceneAndHead):
    """Stands in for the encoders: of 16 channels, at a stride of 32."""

    def __init__(self, directions):
        torch.nn.Module.__init__(self)
        self.backbone, self.channels = ScratchEncoder((8, 8, 16)), 16
        self.scene, self.head = (LayerSum(self.backbone.layers, 16) for _ in range(2))
        self.prompt = nn.Parameter(torch.randn(16) * 0.02)
        self.mix_scene, self.mix_head = (
            nn.Sequential(nn.GELU(), nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(1, 16), nn.GELU()) for _ in range(2)
        )
        self.direction = DirectionHead(16) if directions else None

    def encode(self, scenes, heads, boxes):
        cells = (scenes.shape[-2] // 32, scenes.shape[-1] // 32)
        scene = self.scene(self.backbone.features(scenes).maps, cells)
        scene = self.mix_scene(scene + box_coverage(boxes, cells) * self.prompt[:, None, None])
        close_up = self.head(self.backbone.features(heads).maps, cells)
        head = self.mix_head(close_up)
        direction = None if self.direction is None else self.direction(close_up)
        tokens = torch.cat([(one + sines(cells, 16)).flatten(2) for one in (scene, head)], 2).transpose(1, 2)
        return Encoded(torch.cat([scene, head], dim=1), tokens, direction)


def diffusion(directions=False, **settings):
    torch.manual_seed(0)
    return DiffusionGaze(
        FewLayers(directions), GRID, **{"train_steps": 50, "sample_steps": 3, "sigma_range": None, **settings}
    )
