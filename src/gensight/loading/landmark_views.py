"""What the two images of a landmark pair show: the same crop of both."""

from dataclasses import dataclass
from typing import ClassVar

from gensight.errors import DataError
from gensight.loading.views import ViewPolicy
from gensight.samples import Array, Instance, Item, View
from gensight.transforms.views import around_box, stretched_box


@dataclass(frozen=True)
class PairViews(ViewPolicy):
    """Crops every image of an item to its first sample's subject, and augments all of them alike.

    So a subject that moves between two frames moves in the crop as well: landmarks are learned from this motion.

    Attributes:
        own_boxes: Each image is cropped to its own first subject instead: for a subject that walks out of its box.
    """

    own_boxes: bool = False
    joint: ClassVar[bool] = True

    def view(self, item: Item, slot: int = 0) -> View:
        """The un-augmented view of one of an item's samples. Raises DataError where a box is needed and none known."""
        if self.crop not in ("box", "stretched-box") or slot == 0 or item.subject is None:
            return super().view(item, slot)
        subjects = item.samples[slot].instances if self.own_boxes else None
        box = _own_box(item, subjects[0] if subjects else item.subject)
        size = item.samples[slot].size
        if self.crop == "stretched-box":
            return stretched_box(size, box, self.size)
        return around_box(size, box, self.size, self.padding)


def _own_box(item: Item, subject: Instance) -> Array:
    if subject.box is None:
        raise DataError("the item has no box to crop to", where=item.key, hint="use view.crop=frame")
    return subject.box
