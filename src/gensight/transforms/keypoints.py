"""Keypoints of one skeleton in the names and order of another."""

import numpy as np

from gensight.errors import ConfigError
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import Skeleton

_SHOULDERS = ("left_shoulder", "right_shoulder")


def can_convert(source: Skeleton, target: Skeleton) -> bool:
    """Whether `source` has every keypoint of `target`, or the shoulders that a neck is the midpoint of."""
    return not _missing(source, target)


def convert_keypoints(keypoints: Keypoints, skeleton: Skeleton) -> Keypoints:
    """The same subject in another skeleton, matched by name.

    A neck that the source lacks is the midpoint of the shoulders where both are located (as visible as the worse of
    them), and unlabelled elsewhere: the 18-keypoint set of OpenPose made from COCO's 17.

    Errors:
        ConfigError: `skeleton` has keypoints that the source cannot give.
    """
    source = keypoints.skeleton
    if source.keypoints == skeleton.keypoints:
        return keypoints
    missing = _missing(source, skeleton)
    if missing:
        raise ConfigError(
            f"keypoints of {source.name} cannot be given as {skeleton.name}: no {', '.join(missing)}",
            hint="choose a skeleton whose keypoints the labels have, or `skeleton: data`",
        )
    index = [source.keypoints.index(name) if name in source.keypoints else -1 for name in skeleton.keypoints]
    points = keypoints.points[index].astype(np.float64)
    visibility = keypoints.visibility[index].copy()
    confidence = keypoints.confidence[index].copy()
    if -1 in index:
        neck, pair = index.index(-1), [source.keypoints.index(name) for name in _SHOULDERS]
        known = keypoints.located[pair].all()
        points[neck] = keypoints.points[pair].mean(0)
        visibility[neck] = keypoints.visibility[pair].min() if known else Visibility.UNLABELLED
        confidence[neck] = keypoints.confidence[pair].min()
    return Keypoints(skeleton, points, visibility, confidence)


def _missing(source: Skeleton, target: Skeleton) -> list[str]:
    derivable = {"neck"} if set(_SHOULDERS) <= set(source.keypoints) else set()
    return [name for name in target.keypoints if name not in source.keypoints and name not in derivable]
