"""Small made-up subjects and predictions, shared by the metrics' tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Sample, Visibility
from gensight.skeletons import COCO_17, Skeleton

SIZE = (300, 400)  # a diagonal of 500 px
SKELETON = Skeleton("triangle", ("left_shoulder", "right_hip", "tip"), sigmas=(0.1, 0.1, 0.05))


def no_image() -> Array:
    raise AssertionError("metrics never look at pixels")


def given(value: Any) -> Any:
    """For `partial(given, value)`: what reads a label of a sample."""
    return value


def as_prediction(of: Item, **fields: Any) -> Prediction:
    """A prediction of an item."""
    return Prediction(of.sample.key, of.sample.size, item_key=of.key, group=of.sample.group, **fields)


def keypoints(points: Array, skeleton: Skeleton = SKELETON, confidence: float = 1.0) -> Keypoints:
    """NaN points are unlabelled."""
    points = np.asarray(points, dtype=np.float64)
    known = np.isfinite(points).all(1)
    visibility = np.where(known, Visibility.VISIBLE, Visibility.UNLABELLED).astype(np.int8)
    return Keypoints(skeleton, points, visibility, np.full(len(points), confidence, dtype=np.float32))


def moved(points: Array, x: float, y: float) -> Array:
    return points + np.array([x, y])


def item(key: str, *subjects: Instance, index: int | None = 0, group: str = "") -> Item:
    return Item((Sample(key, SIZE, no_image, tuple(subjects), group=group),), index)


def subject(points: Array, box: Sequence[float] | None = (100, 100, 200, 150), **more: object) -> Instance:
    shape = SKELETON if len(points) == len(SKELETON) else COCO_17
    instance = Instance(
        box=None if box is None else np.array(box, dtype=np.float64), keypoints=keypoints(points, shape)
    )
    return replace(instance, **more)


def answer(scored_item: Item, points: Array | None, confidence: float = 0.9) -> Prediction:
    instances: tuple[Instance, ...] = ()
    if points is not None:
        skeleton = SKELETON if len(points) == len(SKELETON) else COCO_17
        instances = (Instance(keypoints=keypoints(points, skeleton), confidence=confidence),)
    return as_prediction(scored_item, instances=instances)


def scene(num_joints: int = 3) -> list[Item]:
    """Eight subjects on five images, some joints unlabelled, all with boxes and head boxes of 100 x 50 px."""
    generator = np.random.default_rng(3)
    items = []
    for number in range(5):
        subjects = []
        for _ in range(1 + (number < 3)):
            points = generator.uniform(60, 240, (num_joints, 2))
            points[generator.random(num_joints) < 0.2] = np.nan
            points[:2] = generator.uniform(60, 240, (2, 2))
            low = np.nanmin(points, 0) - 1
            box = (*low, low[0] + 100, low[1] + 50)
            subjects.append(subject(points, box, head_box=np.array(box), area=5000.0))
        items += [item(f"image{number}.jpg", *subjects, index=index) for index in range(len(subjects))]
    return items


def answers(kind: str, items: Sequence[Item], missing: bool = True) -> list[tuple[Prediction, Item]]:
    """`perfect`, `worst` (nothing predicted) or `mixed` (noise that grows from item to item)."""
    generator = np.random.default_rng(4)
    result = []
    for number, scored_item in enumerate(items):
        assert scored_item.subject is not None
        assert scored_item.subject.keypoints is not None
        truth = scored_item.subject.keypoints.points
        if kind == "perfect":
            points: Array | None = truth
        elif kind == "worst":
            points = None if missing else truth + 1e6
        else:
            points = truth + generator.normal(0, 1 + 4 * number, truth.shape)
        result.append((answer(scored_item, points, confidence=0.99 - 0.05 * number), scored_item))
    return result
