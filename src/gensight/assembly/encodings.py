"""The encoding of a recipe, and the skeleton and the class names that it needs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

from gensight.assembly.readers import build_readers
from gensight.config.classifier import ClassConfig
from gensight.config.encodings import (
    AppearanceConfig,
    CorrespondenceConfig,
    DepthImageConfig,
    DepthMapConfig,
    EdgeImageConfig,
    HeatmapConfig,
    JointConfig,
    LandmarkPairsConfig,
    NormalsConfig,
    PointsConfig,
    PoseImageConfig,
    Single,
    mirror_pairs_of,
    parts_of,
)
from gensight.config.gaze import GazeMapConfig
from gensight.config.instruct import PaintedConfig
from gensight.config.schema import RunConfig
from gensight.encodings.base import Encoding
from gensight.encodings.calibration import UNCALIBRATED, Calibration
from gensight.encodings.class_label import ClassLabel
from gensight.encodings.depth import DepthImage, DepthMap
from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.gaze import GazeMap
from gensight.encodings.heatmap import Heatmap
from gensight.encodings.joint import Joint
from gensight.encodings.painted.base import Painted
from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass, PaintedColour
from gensight.encodings.painted.depth import PaintedDepth
from gensight.encodings.painted.drawings import PaintedEdges, PaintedKeypoints
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.encodings.painted.restored import PaintedRestoration
from gensight.encodings.pairs.appearance import Appearance
from gensight.encodings.pairs.correspondence import Correspondence
from gensight.encodings.pairs.landmark_pairs import LandmarkPairs
from gensight.encodings.points import Points
from gensight.encodings.pose_image import PoseImage
from gensight.encodings.surface_normals import SurfaceNormals
from gensight.errors import ConfigError
from gensight.instructions.grammar import RESTORATIONS
from gensight.readers.base import Reader
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.readers.shared.single_annotation import with_labels
from gensight.skeletons import NAMED, Skeleton, mirror_of_pairs, named_skeleton, sides_note


def build_skeleton(config: RunConfig, reader: Reader) -> Skeleton | None:
    """The skeleton that a recipe needs; None where nothing needs keypoints.

    Raises ConfigError if the data set has none and the recipe names none.
    """
    names = [part.skeleton_name for part in parts_of(config.encoding).values() if part.skeleton_name is not None]
    if not names:
        return None
    if len(set(names)) > 1:
        raise ConfigError(f"the parts of the encoding name different skeletons: {', '.join(names)}", where="encoding")
    if names[0] != "data":
        return _with_sigmas(_paired(config, named_skeleton(names[0])), config)
    if reader.skeleton is None:
        raise ConfigError(
            f"the data set ({config.data.kind}) has no keypoints of its own",
            where="encoding.skeleton=data",
            choices=NAMED,
            hint="name a skeleton, or data that has keypoints",
        )
    return _with_sigmas(_paired(config, reader.skeleton), config)


def _paired(config: RunConfig, skeleton: Skeleton) -> Skeleton:
    """With the left-right partners that the recipe gives."""
    pairs = mirror_pairs_of(config.encoding)
    return skeleton if pairs is None else replace(skeleton, mirror=mirror_of_pairs(skeleton.keypoints, pairs))


def doubtful_sides(config: RunConfig, skeleton: Skeleton | None) -> str:
    """See `sides_note`; empty where the recipe gives the pairs."""
    return "" if skeleton is None or mirror_pairs_of(config.encoding) is not None else sides_note(skeleton)


def without_doubtful_flips(config: RunConfig, skeleton: Skeleton | None) -> RunConfig:
    """Without flips, in training and in predictions, where keypoints look like one side of a pair without a partner.

    Under flips they would be learned with the sides exchanged. Pairs that the recipe gives are taken as all that there
    are.
    """
    if not doubtful_sides(config, skeleton):
        return config
    view, evaluation = config.view, config.evaluation
    augment = view.augment.model_copy(update={"flip": 0.0})
    return config.model_copy(
        update={
            "view": view.model_copy(update={"augment": augment}),
            "evaluation": evaluation.model_copy(update={"flip_test": False}),
        }
    )


def _with_sigmas(skeleton: Skeleton, config: RunConfig) -> Skeleton:
    """With the recipe's own fall-offs, which the run's card then keeps."""
    given = config.evaluation.sigmas
    if given is None:
        return skeleton
    sigmas = (given,) * len(skeleton) if isinstance(given, float) else given
    if len(sigmas) != len(skeleton):
        raise ConfigError(
            f"{len(sigmas)} sigmas for the {len(skeleton)} keypoints of `{skeleton.name}`",
            where="evaluation.sigmas",
            hint=f"give one number, or one for each of {', '.join(skeleton.keypoints)}",
        )
    return replace(skeleton, sigmas=sigmas)


def build_encoding(config: RunConfig, skeleton: Skeleton | None, calibration: Calibration = UNCALIBRATED) -> Encoding:
    """The encoding of a recipe, read as training found best."""
    boxed = config.view.crop in ("box", "stretched-box") and not config.view.track  # a tracker finds boxes everywhere
    parts = {
        name: _build_part(part, skeleton, calibration, config, boxed)
        for name, part in parts_of(config.encoding).items()
    }
    return Joint(parts) if isinstance(config.encoding, JointConfig) else next(iter(parts.values()))


def _build_part(
    part: Single, skeleton: Skeleton | None, calibration: Calibration, config: RunConfig, boxed: bool
) -> Encoding:
    seed, beside = config.seed, config.method.side_targets
    match part:
        case HeatmapConfig():
            assert skeleton is not None  # build_skeleton has found one
            return Heatmap(skeleton, part.sigma, part.stride, part.decoder, calibration.confidence)
        case PoseImageConfig():
            assert skeleton is not None
            return PoseImage(skeleton, stride=part.stride, instances=part.instances)
        case EdgeImageConfig():
            return EdgeImage(channels=part.channels, stride=part.stride)
        case DepthImageConfig():
            return DepthImage(stride=part.stride, channels=part.channels)
        case DepthMapConfig():
            return DepthMap(stride=part.stride, kind=part.depth, near=part.near, far=part.far)
        case NormalsConfig():
            return SurfaceNormals(stride=part.stride)
        case CorrespondenceConfig():
            return Correspondence(part.distance, part.num_points, part.stride, seed)
        case AppearanceConfig():
            return Appearance(part.stride, part.region, part.negative, part.distance, seed, part.colours)
        case LandmarkPairsConfig():
            return LandmarkPairs(part.num_landmarks, part.pairs, part.distance, seed, "background" in beside, boxed)
        case PointsConfig():
            assert skeleton is not None
            return Points(skeleton)
        case GazeMapConfig():
            return GazeMap(part.grid, part.sigma, part.kernel)
        case PaintedConfig():
            return _painted(part, skeleton, seed, "shown" in beside, calibration.threshold)
        case ClassConfig():
            return ClassLabel(part.labels or ())
        case _:
            assert_never(part)


_SMALLEST_MASK = 0.002  # share of the image


def _painted(part: PaintedConfig, skeleton: Skeleton | None, seed: int, shown: bool, threshold: float) -> Instructed:
    labels = part.labels or ()
    made: dict[str, Callable[[], Painted]] = {
        "segment": lambda: PaintedMask(_SMALLEST_MASK, threshold),
        "detect": lambda: PaintedBoxes(part.box_style, part.max_boxes, threshold, part.outline),
        "depth": lambda: PaintedDepth(part.depth_scale, part.near, part.far),
        "classify": lambda: PaintedClass(labels),
        "keypoints": lambda: PaintedKeypoints(skeleton),
        "edges": PaintedEdges,
        "colour": lambda: PaintedColour(labels),
        **{task: partial(PaintedRestoration, task) for task in RESTORATIONS},
    }
    tasks: dict[str, Painted] = {task: made[task]() for task in part.tasks}
    return Instructed(
        tasks,
        part.categories or (),
        labels,
        seed=seed,
        several=part.several,
        repeats={str(task): times for task, times in part.repeats.items()},
        shown=shown,
    )


def resolve_vocabulary(config: RunConfig, train: Reader | None = None) -> RunConfig:
    """The recipe with the data's names of classes, where its encoding leaves them to the data.

    Args:
        config: The recipe.
        train: Its training part; opened if None.
    """
    missing = config.encoding.missing_vocabulary()
    if not missing:
        return config
    reader = with_labels(build_readers(config.data, config.truths).train if train is None else train)
    found = {key: tuple(name for name in getattr(reader, key) if name != BACKGROUND) for key in missing}
    for key, hint in missing.items():
        if not found[key]:
            raise ConfigError(f"the data has no {key}", where=f"encoding.{key}", hint=hint)
    return config.model_copy(update={"encoding": config.encoding.model_copy(update=found)})
