"""Which part of an image an item's view shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from gensight.errors import DataError
from gensight.geometry import points_box
from gensight.samples import Array, Item, Size, View
from gensight.transforms.augmentation import Augmentation, augment_view
from gensight.transforms.views import around_box, fitted_frame, stretched_box, stretched_frame, whole_frame

Crop = Literal["frame", "stretched-frame", "fitted-frame", "box", "stretched-box"]


@dataclass(frozen=True)
class ViewPolicy:
    """How an item's image is brought to the model's size.

    Attributes:
        size: (height, width) of the model frame.
        crop: `frame` shows the whole image with its aspect kept, `stretched-frame` squashed to the model frame,
            `fitted-frame` as `fitted_frame` has it, so that model frames differ in size; `box` the subject's box, grown
            to the model's aspect and padded; `stretched-box` the bare box, squashed to the model frame (as
            `readout-guidance-2024` has it).
        padding: Factor on the box's sides under `box`.
        joint: Whether the images of an item are augmented with the same parameters, or independently.
    """

    size: Size
    crop: Crop = "frame"
    padding: float = 1.25
    joint: ClassVar[bool] = False

    def views(
        self,
        item: Item,
        augmentation: Augmentation | None = None,
        generators: Sequence[np.random.Generator | None] = (),
    ) -> tuple[View, ...]:
        """The views of all of an item's images, augmented where an image has a generator."""
        plain = tuple(self.view(item, slot) for slot in range(len(item.samples)))
        if augmentation is None:
            return plain
        drawn = zip(plain, generators, strict=True)
        return tuple(view if rng is None else augment_view(view, augmentation, rng) for view, rng in drawn)

    def frame_size(self, item: Item) -> Size:
        """(height, width) of the first view's model frame."""
        return self.view(item).model_size if self.crop == "fitted-frame" else self.size

    def view(self, item: Item, slot: int = 0) -> View:
        """The un-augmented view of one of an item's samples. Raises DataError where a box is needed and none known."""
        size = item.samples[slot].size
        match self.crop:
            case "frame":
                return whole_frame(size, self.size)
            case "stretched-frame":
                return stretched_frame(size, self.size)
            case "fitted-frame":
                return fitted_frame(size, max(self.size))
            case "box":
                return around_box(size, subject_box(item, slot), self.size, self.padding)
            case "stretched-box":
                return stretched_box(size, subject_box(item, slot), self.size)


def subject_box(item: Item, slot: int = 0) -> Array:
    """float64 (4,): the box of what the item is about in one of its images.

    The relation's, else the subject's, else the extent of its located keypoints; DataError if there is none.
    """
    if item.relation is not None and item.relation.boxes is not None:
        return _with_area(item.relation.boxes[slot], item)
    subject = item.subject if slot == 0 else None
    if subject is not None and subject.box is not None:
        return _with_area(subject.box, item)
    if subject is not None and subject.keypoints is not None:
        box = points_box(subject.keypoints.points[subject.keypoints.located])
        if np.isfinite(box).all():
            return _with_area(box, item)
    raise DataError(
        "the item has no box to crop to",
        where=item.key,
        hint="use view.crop=frame, or labels that carry boxes",
    )


def _with_area(box: Array, item: Item) -> Array:
    width, height = box[2] - box[0], box[3] - box[1]
    if width >= 1 and height >= 1:
        return np.asarray(box, dtype=np.float64)
    if not (np.isfinite(box).all() and width >= 0 and height >= 0):
        raise DataError("the box is not a box (x_min, y_min, x_max, y_max)", where=f"{item.key}: {box.tolist()}")
    grow = np.maximum(0.0, 1.0 - np.array([width, height])) / 2
    return np.concatenate([np.asarray(box[:2]) - grow, np.asarray(box[2:]) + grow])
