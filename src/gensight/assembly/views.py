"""The views of samples that a recipe trains on and scores."""

from dataclasses import fields

from gensight.config.encodings import (
    LandmarkPairsConfig,
)
from gensight.config.gaze import (
    GazeMapConfig,
)
from gensight.config.schema import AugmentConfig, RunConfig
from gensight.loading.gaze_views import GazeViews
from gensight.loading.landmark_views import PairViews
from gensight.loading.views import ViewPolicy
from gensight.transforms.augmentation import Augmentation


def build_policy(config: RunConfig) -> ViewPolicy:
    if isinstance(config.encoding, GazeMapConfig):
        return GazeViews(config.view.size, config.view.crop, config.view.padding, config.encoding.head_size)
    if isinstance(config.encoding, LandmarkPairsConfig):
        return PairViews(config.view.size, config.view.crop, config.view.padding, config.view.track)
    return ViewPolicy(config.view.size, config.view.crop, config.view.padding)


def build_augmentation(config: AugmentConfig) -> Augmentation | None:
    """None where nothing is augmented."""
    if config == AugmentConfig():
        return None
    return Augmentation(**{field.name: getattr(config, field.name) for field in fields(Augmentation)})
