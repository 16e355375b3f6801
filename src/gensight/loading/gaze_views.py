"""The two views of a gaze item, augmented together: the scene, and the close-up of the head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gensight.encodings.gaze import HEAD, SCENE
from gensight.errors import DataError
from gensight.geometry import inside
from gensight.loading.views import ViewPolicy
from gensight.samples import Array, Item, Size, View
from gensight.transforms.augmentation import Augmentation
from gensight.transforms.views import around_box, mirror_view, stretched_box, stretched_frame


@dataclass(frozen=True)
class GazeViews(ViewPolicy):
    """The scene as `frame` (aspect kept) or `stretched-frame`; the head's box, grown by `padding` and stretched.

    Augmentation parameters are sampled once for both: a left-right flip, a random crop of the scene that keeps the head
    and, where it is in the image, what is looked at, and a jitter of the head box, which the close-up and the scene's
    head prompt share. Both views get the same colour augmentation. There is no state between items.

    Attributes:
        head_size: (height, width) of the close-up; None: as the scene.
    """

    head_size: Size | None = None
    joint: ClassVar[bool] = True

    def view(self, item: Item, slot: int = 0) -> View:
        """Raises DataError where the item has no person with a head box."""
        size = item.sample.size
        if slot == HEAD:
            return self._close_up(size, self._head(item))
        return stretched_frame(size, self.size) if self.crop == "stretched-frame" else super().view(item, slot)

    def views(
        self,
        item: Item,
        augmentation: Augmentation | None = None,
        generators: Sequence[np.random.Generator | None] = (),
    ) -> tuple[View, ...]:
        rng = generators[0] if generators else None
        if augmentation is None or rng is None:
            return self.view(item, SCENE), self.view(item, HEAD)
        rng = rng.spawn(1)[0]  # leaves the colour augmentation unchanged, which both images share
        size, head = item.sample.size, self._head(item)
        scene = self.view(item, SCENE)
        shares, crops, edges, flips = rng.random(4), rng.random(), rng.uniform(-1, 1, 4), rng.random()
        if crops < augmentation.crop:
            box = _kept_crop(item, head, shares)
            stretched = self.crop == "stretched-frame"
            scene = stretched_box(size, box, self.size) if stretched else around_box(size, box, self.size, 1.0)
        if augmentation.head_jitter:
            sides = np.tile(head[2:] - head[:2], 2)
            head = head + 0.5 * augmentation.head_jitter * edges * sides
        close_up = self._close_up(size, head)
        if flips < augmentation.flip:
            scene, close_up = mirror_view(scene), mirror_view(close_up)
        return scene, close_up

    def _close_up(self, size: Size, head: Array) -> View:
        grow = (self.padding - 1) / 2 * np.tile(head[2:] - head[:2], 2) * np.array([-1, -1, 1, 1])
        return stretched_box(size, head + grow, self.head_size or self.size)

    @staticmethod
    def _head(item: Item) -> Array:
        subject = item.subject
        if subject is None or subject.head_box is None:
            raise DataError(
                "nobody's head box is known in this image, so gaze cannot be predicted",
                where=item.key,
                hint="give boxes of heads, with --boxes FILE or --detector NAME",
            )
        height, width = item.sample.size
        head = np.asarray(subject.head_box, dtype=np.float64)
        clipped = np.clip(head, 0, [width, height, width, height])
        if not np.isfinite(head).all() or (clipped[2:] <= clipped[:2]).any():
            raise DataError(
                f"the head box {np.round(head, 1).tolist()} lies outside the image of {height} x {width}",
                where=item.key,
                hint="boxes are (x_min, y_min, x_max, y_max) in pixels of this image",
            )
        return clipped


def _kept_crop(item: Item, head: Array, shares: Array) -> Array:
    """A box of the image whose edges lie at random between those of what must be seen and the image's own."""
    height, width = item.sample.size
    subject = item.subject
    points = np.zeros((0, 2)) if subject is None or subject.gaze is None else subject.gaze.points
    corners = np.concatenate([head.reshape(2, 2), points[inside(points, item.sample.size)]])
    low, high = corners.min(0), corners.max(0)
    return np.concatenate([shares[:2] * low, high + shares[2:] * (np.array([width, height]) - high)])
