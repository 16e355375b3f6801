"""The method of a recipe."""

from typing import Any, assert_never

import torch

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.config.classifier import ClassifierConfig
from gensight.config.encodings import JointConfig, parts_of
from gensight.config.fields import Section
from gensight.config.gaze import (
    GazeConvolutionalConfig,
    GazeDiffusionConfig,
    GazeFrozenConfig,
    GazeMapConfig,
)
from gensight.config.instruct import InstructConfig
from gensight.config.landmarks import LandmarkKeypointsConfig, LandmarksConfig
from gensight.config.schema import ReadoutConfig, RunConfig
from gensight.encodings.base import Encoding
from gensight.encodings.class_label import ClassLabel
from gensight.encodings.joint import SEPARATOR
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.pairs.landmark_pairs import LandmarkPairs
from gensight.errors import ConfigError
from gensight.instructions.grammar import TASKS
from gensight.methods.base import Method
from gensight.methods.classifier.method import Classifier
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.encoders import SceneAndHead
from gensight.methods.gaze.frozen import FrozenGaze
from gensight.methods.instruct.many_steps import ManySteps
from gensight.methods.instruct.one_step import OneStep
from gensight.methods.landmarks.jitter import JitterRange
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.separation_loss import Adversary
from gensight.methods.readout.method import Part, Readout
from gensight.transforms.thin_plate_spline import WarpRange


def build_method(config: RunConfig, backbone: Backbone, encoding: Encoding) -> Method:
    """The method of a recipe; its initial weights are drawn from the recipe's seed. Refuses sizes that don't fit."""
    method = config.method
    torch.manual_seed(config.seed)
    match method:
        case ReadoutConfig():
            return _readout(config, method, backbone, encoding)
        case LandmarksConfig():
            assert isinstance(encoding, LandmarkPairs)  # the schema has seen to it
            share = 0.5 if encoding.pairs == "both" else 0.0
            return _landmarks(config, method, len(encoding.skeleton), backbone, share)
        case LandmarkKeypointsConfig():
            num_values = sum(spec.channels for spec in encoding.outputs.values())
            return LandmarkKeypoints(_landmarks(config, method.landmarks, method.num_landmarks, backbone), num_values)
        case GazeFrozenConfig() | GazeConvolutionalConfig() | GazeDiffusionConfig():
            return _gaze(config, method, backbone)
        case InstructConfig():
            assert isinstance(backbone, DiffusionBackbone)  # the schema has seen to it
            _fit_size(config, {"backbone's stride": backbone.stride, **_strides(config)})
            assert isinstance(encoding, Instructed)  # the schema has seen to it
            way = OneStep if method.way == "one-step" else ManySteps
            return way(
                backbone,
                tasks=[task for task in TASKS if task in encoding.tasks],
                categories=encoding.categories,
                labels=encoding.labels,
                **method.options(),
            )
        case ClassifierConfig():
            assert isinstance(encoding, ClassLabel)  # the schema has seen to it
            _fit_size(config, {"backbone's stride": backbone.stride})
            return Classifier(backbone, len(encoding.labels))
        case _:
            assert_never(method)


def _fit_size(config: RunConfig, units: dict[str, int]) -> None:
    """Raises ConfigError where the view is no multiple of every named unit."""
    height, width = config.view.size
    for name, unit in units.items():
        if height % unit or width % unit:
            raise ConfigError(
                f"view.size={height},{width} is not a multiple of the {name} ({unit})",
                where="view.size",
                hint=f"for example view.size=[{_round_up(height, unit)},{_round_up(width, unit)}]",
            )


def _readout(config: RunConfig, method: ReadoutConfig, backbone: Backbone, encoding: Encoding) -> Readout:
    _fit_size(config, {"backbone's stride": backbone.stride, **_strides(config)})
    return Readout(backbone, _build_parts(config, method, encoding), **_options(method, "timesteps"))


def _gaze(
    config: RunConfig, method: GazeFrozenConfig | GazeConvolutionalConfig | GazeDiffusionConfig, backbone: Backbone
) -> Method:
    assert isinstance(config.encoding, GazeMapConfig)  # the schema has seen to it
    grid = config.encoding.grid
    if isinstance(method, GazeFrozenConfig):
        _fit_size(config, {"backbone's stride": backbone.stride})
        return FrozenGaze(backbone, grid, **_options(method))
    encoder = SceneAndHead(
        method.encoder,
        method.layout if isinstance(method, GazeDiffusionConfig) else "attended",
        method.weights,
        method.freeze_scene,
        method.freeze_head,
        directions=method.direction_weight > 0,
    )
    own = _options(method, "layout", "encoder", "weights", "freeze_scene", "freeze_head")
    made = DiffusionGaze if isinstance(method, GazeDiffusionConfig) else ConvolutionalGaze
    return made(encoder, grid, **own)


def _strides(config: RunConfig) -> dict[str, int]:
    return {
        f"{name} encoding's stride": part.grid_stride
        for name, part in parts_of(config.encoding).items()
        if part.grid_stride is not None
    }


def _landmarks(
    config: RunConfig, method: LandmarksConfig, num_landmarks: int, backbone: Backbone, warp_share: float = 0.0
) -> Landmarks:
    units = {"decoder's coarsest scale": 2 ** (len(method.decoder_widths) - 1)}
    if method.encoder == "backbone" or method.perceptual == "backbone":
        units["backbone's stride"] = backbone.stride
    if method.encoder == "u-net":
        units["shape encoder's coarsest scale"] = 2 ** len(method.shape_widths)
    if method.background != "none":
        units["background's coarsest scale"] = 8
    _fit_size(config, units)
    published = method.formulas == "published"
    return Landmarks(
        backbone,
        num_landmarks,
        **_options(method, "warp", "jitter", "adversary"),
        warp=WarpRange(**_options(method.warp, "flip"), published=published),
        flip=method.warp.flip,
        warp_share=warp_share,
        jitter=JitterRange(**_options(method.jitter)),
        adversary=Adversary(**_options(method.adversary), published=published),
    )


def _options(section: Section, *others: str) -> dict[str, Any]:
    """A section's keys as arguments of the class that it describes, but for its kind and `others`."""
    return {name: value for name, value in section if name not in ("kind", *others)}


def _build_parts(config: RunConfig, method: ReadoutConfig, encoding: Encoding) -> dict[str, Part]:
    joint = config.encoding if isinstance(config.encoding, JointConfig) else None
    levels = {} if joint is None else joint.timesteps
    outputs = encoding.outputs
    parts = {}
    for name, part in parts_of(config.encoding).items():
        assert part.grid_stride is not None  # of what a readout takes, everything is a map
        own = {key: spec for key, spec in outputs.items() if joint is None or key.startswith(f"{name}{SEPARATOR}")}
        parts[name] = Part(own, part.grid_stride, levels.get(name, method.timesteps))
    return parts


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
