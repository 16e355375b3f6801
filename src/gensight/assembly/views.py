"""The views of samples that a recipe trains on and scores."""

from dataclasses import fields
from typing import assert_never

from gensight.config.schema import AugmentConfig, RunConfig
from gensight.loading.gaze_views import GazeViews
from gensight.loading.landmark_views import PairViews
from gensight.loading.views import ViewPolicy
from gensight.transforms.augmentation import Augmentation


def build_policy(config: RunConfig) -> ViewPolicy:
    view, kind = config.view, config.encoding.facts.views
    match kind:
        case "whole-or-box":
            return ViewPolicy(view.size, view.crop, view.padding)
        case "gaze":
            return GazeViews(view.size, view.crop, view.padding, config.encoding.close_up)
        case "pair":
            return PairViews(view.size, view.crop, view.padding, view.track)
        case _:
            assert_never(kind)


def build_augmentation(config: AugmentConfig) -> Augmentation | None:
    """None where nothing is augmented."""
    if config == AugmentConfig():
        return None
    return Augmentation(**{field.name: getattr(config, field.name) for field in fields(Augmentation)})
