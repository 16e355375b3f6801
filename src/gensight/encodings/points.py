"""Keypoints as numbers: x and y as shares of the view."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec, predict
from gensight.geometry import image_to_model, model_to_image
from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Sample, Size, View, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import can_convert, convert_keypoints


def located_subjects(sample: Sample, skeleton: Skeleton) -> list[int]:
    """The instances that are no crowd and have a located keypoint of a skeleton."""
    return [index for index, one in enumerate(sample.instances or ()) if is_located(one, skeleton)]


def is_located(instance: Instance, skeleton: Skeleton) -> bool:
    """Whether an instance is no crowd and has a located keypoint of a skeleton."""
    keypoints = instance.keypoints
    if instance.is_crowd or keypoints is None or not can_convert(keypoints.skeleton, skeleton):
        return False
    return bool(convert_keypoints(keypoints, skeleton).located.any())


def found_subject(keypoints: Keypoints, subject: Instance | None, category: str = "object") -> Instance:
    """What is predicted of a subject: its category (`category` where it is unknown), its box, and keypoints."""
    return Instance(
        category=subject.category if subject else category,
        box=subject.box if subject else None,
        keypoints=keypoints,
        confidence=float(keypoints.confidence.mean()),
    )


class Points(Encoding):
    """A vector of 2K numbers: x and y of each keypoint; the model frame runs from 0 to 1 along both axes.

    Output `points`: (2K,); `points_weight`: (2K,), 0 where the position is unknown. Exact both ways. In a mirrored view
    paired keypoints are swapped. A point may lie outside of the view. Confidence is always 1.

    Args:
        skeleton: The keypoints. Instances with another skeleton are converted by name where they can be.
    """

    name = "points"

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self._mirror = np.array(skeleton.mirror)

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"points": OutputSpec(2 * len(self.skeleton), "vector")}

    def items(self, sample: Sample) -> list[Item]:
        """One per instance that is no crowd and has a located keypoint of this skeleton."""
        return [Item((sample,), index) for index in located_subjects(sample, self.skeleton)]

    def grid_size(self, model_size: Size) -> Size:
        return model_size  # there are no maps: coordinates are continuous

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Shares of the view and weights, each (2K,); an item without keypoints has weights of 0."""
        points, known = np.zeros((len(self.skeleton), 2)), np.zeros(len(self.skeleton), dtype=bool)
        subject = item.subject
        if subject is not None and subject.keypoints is not None:
            keypoints = convert_keypoints(subject.keypoints, self.skeleton)
            height, width = views[0].model_size
            points, known = image_to_model(keypoints.points, views[0]) / (width, height), keypoints.located
            if views[0].mirrored:
                points, known = points[self._mirror], known[self._mirror]
        points = np.where(known[:, None], points, 0.0)
        return {
            "points": torch.from_numpy(points.ravel().astype(np.float32)),
            "points_weight": torch.from_numpy(np.repeat(known, 2).astype(np.float32)),
        }

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """One instance with all K points in the image frame."""
        values = outputs["points"].detach().double().cpu().numpy().reshape(-1, 2)
        if views[0].mirrored:
            values = values[self._mirror]
        return prediction_of_points(values, np.ones(len(values)), self.skeleton, item, views)

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Points of a mirrored image, turned back: x from the other side, paired keypoints swapped."""
        points = outputs["points"].unflatten(-1, (-1, 2))
        order = torch.from_numpy(self._mirror).to(points.device)
        x, y = points.index_select(-2, order).unbind(-1)
        return {"points": torch.stack([1 - x, y], dim=-1).flatten(-2)}


def prediction_of_points(
    shares: Array, confidence: Array, skeleton: Skeleton, item: Item, views: tuple[View, ...]
) -> Prediction:
    """One instance from points (K, 2) as shares of the view and their confidence (K,)."""
    height, width = views[0].model_size
    points = model_to_image(shares * (width, height), views[0])
    certain = np.clip(confidence, 0, 1).astype(np.float32)
    visible = np.full(len(points), Visibility.VISIBLE, dtype=np.int8)
    return predict(item, instances=(found_subject(Keypoints(skeleton, points, visible, certain), item.subject),))
