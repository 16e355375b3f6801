"""Gaze methods small enough for tests, and batches of drawn people."""

import torch

from gensight.backbones.scratch import ScratchEncoder
from gensight.encodings.gaze import GazeMap
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw
from gensight.loading.gaze_views import GazeViews
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.encoders import BackboneSceneAndHead, SceneAndHead
from gensight.methods.gaze.frozen import FrozenGaze
from gensight.readers.puppets import PuppetsReader

GRID = (16, 16)
CASES = Cases(
    PuppetsReader(6, seed=3, size=(48, 48), truths=("gaze",), num_subjects=(2, 3)),
    GazeMap(GRID, 1.0, teach_empty=True),
    GazeViews((64, 64), "stretched-frame", 1.2),
)


def batch(count=4, first=0):
    return collate([CASES[Draw(first + index, 0, first + index + 1)] for index in range(count)])


def frozen(**settings):
    torch.manual_seed(0)
    return FrozenGaze(
        ScratchEncoder((8, 8, 16)), GRID, width=16, num_blocks=2, num_heads=2, token_stride=16, **settings
    )


def convolutional(directions=False, **settings):
    torch.manual_seed(0)
    return ConvolutionalGaze(SceneAndHead("small", "attended", directions=directions), GRID, **settings)


def diffusion(directions=False, **settings):
    torch.manual_seed(0)
    encoder = BackboneSceneAndHead(ScratchEncoder((8, 8, 16)), 16, directions=directions)
    return DiffusionGaze(encoder, GRID, **{"train_steps": 50, "sample_steps": 3, "sigma_range": None, **settings})
