"""One reader's items with their views, images and targets, and how they are stacked into a Batch."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.base import Encoding
from gensight.errors import DataError
from gensight.files.hashing import mix
from gensight.geometry import warp_image
from gensight.loading.draw_order import Draw
from gensight.loading.image_memory import ImageMemory
from gensight.loading.views import ViewPolicy
from gensight.readers.base import Reader
from gensight.samples import Array, Batch, Item, Sample, View
from gensight.transforms.augmentation import Augmentation, augment_pixels

FeatureSource = Callable[[int, int, int], dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class Case:
    """One item as a network sees it, before stacking."""

    item: Item
    views: tuple[View, ...]
    key: int
    images: tuple[Array, ...]
    targets: dict[str, Tensor]
    features: tuple[dict[str, Tensor], ...] | None = None


class Cases:
    """The items that an encoding finds in a reader, each with the view that a policy gives it.

    Args:
        reader: Where samples come from.
        encoding: Defines the items and targets.
        policy: Which part of the image is shown.
        augmentation: None for testing.
        seed: Seeds the K fixed augmented views.
        num_views: 0 augments anew each time, by the draw's key; K > 0 uses K fixed augmented views of each item, by
            (seed, item, view), so that features can be cached.
        features: Returns cached features of (item, view, sample of the item), which replace pixels.

    Raises:
        DataError: If no sample gives an item.
    """

    def __init__(
        self,
        reader: Reader,
        encoding: Encoding,
        policy: ViewPolicy,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        num_views: int = 0,
        features: FeatureSource | None = None,
    ) -> None:
        self.reader, self.encoding, self.policy = reader, encoding, policy
        self.augmentation, self.seed, self.num_views, self.features = augmentation, seed, num_views, features
        self._memory = ImageMemory()
        self._items = encoding.build_items(reader)
        if not self._items:
            raise DataError(
                f"no sample of this data set has the labels that the {encoding.name} encoding needs",
                where=f"{reader.name}: {len(reader)} samples",
                hint="look at it with `gensight datasets check`",
            )

    def __len__(self) -> int:
        return len(self._items)

    def item(self, index: int) -> Item:
        return self._items[index]

    def with_items(self, items: Sequence[Item]) -> "Cases":
        """The same views, targets and decoded images, of other items about this reader's samples."""
        changed = copy(self)
        changed._items = items
        return changed

    def with_features(self, features: FeatureSource) -> "Cases":
        """The same items with features in place of pixels."""
        changed = copy(self)
        changed.features = features
        return changed

    def __getitem__(self, draw: Draw) -> Case:
        item = self.item(draw.index)
        slots = range(len(item.samples))
        generators = [self._generator(draw, slot) for slot in slots]
        views = self.policy.views(item, self.augmentation, generators)
        targets = self.encoding.encode(item, views)
        if self.features is not None:
            features = tuple(self.features(draw.index, draw.view, slot) for slot in slots)
            return Case(item, views, draw.key, (), targets, features)
        images = tuple(self._pixels(item.samples[slot], views[slot], generators[slot]) for slot in slots)
        return Case(item, views, draw.key, images, targets)

    def _generator(self, draw: Draw, slot: int) -> np.random.Generator | None:
        """Each image of an item is augmented independently, unless the policy joins them."""
        if self.augmentation is None:
            return None
        key = mix(self.seed, draw.index, draw.view) if self.num_views else draw.key
        return np.random.default_rng(mix(key, slot) if slot and not self.policy.joint else key)

    def _pixels(self, sample: Sample, view: View, rng: np.random.Generator | None) -> Array:
        image = warp_image(self._memory.image(sample), view)
        if self.augmentation is not None and rng is not None:
            image = augment_pixels(image, self.augmentation, rng)
        return image


def stack_images(images: Sequence[Array]) -> Tensor:
    """float32 (batch, 3, height, width) in [0, 1] from uint8 images of one size, in channels-last memory format."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return stacked.to(torch.float32).div_(255)


def collate(cases: Sequence[Case]) -> Batch:
    """Stacks cases whose model frames agree."""
    slots = [case.features for case in cases if case.features is not None]
    features = tuple(
        {name: torch.stack([one[slot][name] for one in slots]).float() for name in slots[0][slot]}
        for slot in range(len(slots[0]) if slots else 0)
    )
    return Batch(
        items=[case.item for case in cases],
        views=[case.views for case in cases],
        keys=torch.tensor([case.key for case in cases], dtype=torch.int64),
        images=tuple(stack_images([case.images[s] for case in cases]) for s in range(len(cases[0].images))),
        features=features or None,
        targets={name: torch.stack([case.targets[name] for case in cases]) for name in cases[0].targets},
    )
