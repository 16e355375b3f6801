"""One reader's items with their views, images and targets, and how they are stacked into a Batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gensight.diffusion.noise import mix
from gensight.encodings.base import Encoding
from gensight.errors import DataError
from gensight.geometry import warp_image
from gensight.loading.draws import Draw
from gensight.loading.views import ViewPolicy
from gensight.readers.base import Reader
from gensight.samples import Array, Batch, Item, View
from gensight.transforms.augmentation import Augmentation, augment_pixels, augment_view

FeatureSource = Callable[[int, int], dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class Case:
    """One item as a network sees it, before stacking."""

    item: Item
    views: tuple[View, ...]
    key: int
    images: tuple[Array, ...]
    targets: dict[str, Tensor]
    features: dict[str, Tensor] | None = None


class Cases:
    """The items that an encoding finds in a reader, each with the view that a policy gives it.

    Args:
        reader: Where samples come from.
        encoding: What is asked of them.
        policy: Which part of the image is shown.
        augmentation: None for testing.
        seed: Seeds the K fixed augmented views.
        num_views: 0 augments every draw anew, by the draw's key; K > 0 draws from K fixed augmented views, by
            (seed, item, view), so that features can be cached.
        features: Gives the cached features of (item, view) instead of pixels.

    Raises:
        DataError: If no sample poses an item.
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
        self._places = [
            (index, number) for index, sample in enumerate(reader) for number in range(len(encoding.items(sample)))
        ]
        if not self._places:
            raise DataError(
                f"no sample of this data set has what the {encoding.name} encoding asks for",
                where=f"{reader.name}: {len(reader)} samples",
                hint="look at it with `gensight datasets check`",
            )

    def __len__(self) -> int:
        return len(self._places)

    def item(self, index: int) -> Item:
        sample, number = self._places[index]
        return self.encoding.items(self.reader[sample])[number]

    def __getitem__(self, draw: Draw) -> Case:
        item = self.item(draw.index)
        rng = self._generator(draw)
        view = self.policy.view(item)
        if self.augmentation is not None and rng is not None:
            view = augment_view(view, self.augmentation, rng)
        targets = self.encoding.encode(item, (view,))
        if self.features is not None:
            return Case(item, (view,), draw.key, (), targets, self.features(draw.index, draw.view))
        return Case(item, (view,), draw.key, (self._pixels(item, view, rng),), targets)

    def _generator(self, draw: Draw) -> np.random.Generator | None:
        if self.augmentation is None:
            return None
        if self.num_views:
            return np.random.default_rng(mix(self.seed, draw.index, draw.view))
        return np.random.default_rng(draw.key)

    def _pixels(self, item: Item, view: View, rng: np.random.Generator | None) -> Array:
        image = warp_image(item.sample.image(), view)
        if self.augmentation is not None and rng is not None:
            image = augment_pixels(image, self.augmentation, rng)
        return image


def stack_images(images: Sequence[Array]) -> Tensor:
    """float32 (batch, 3, height, width) in [0, 1] from uint8 images of one size, in channels-last memory format."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return stacked.to(torch.float32).div_(255)


def collate(cases: Sequence[Case]) -> Batch:
    """Stacks cases whose model frames agree."""
    features = None
    if cases[0].features is not None:
        names = cases[0].features
        features = ({n: torch.stack([case.features[n] for case in cases if case.features]).float() for n in names},)
    return Batch(
        items=[case.item for case in cases],
        views=[case.views for case in cases],
        keys=torch.tensor([case.key for case in cases], dtype=torch.int64),
        images=tuple(stack_images([case.images[s] for case in cases]) for s in range(len(cases[0].images))),
        features=features,
        targets={name: torch.stack([case.targets[name] for case in cases]) for name in cases[0].targets},
    )
