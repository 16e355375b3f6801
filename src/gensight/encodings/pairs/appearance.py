"""Appearance similarity: descriptors that separate images of the same subject from images of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gensight.encodings.base import ItemSequence, OutputSpec, RelationEncoding, predict
from gensight.encodings.pairs.frame_pairs import frame_range
from gensight.encodings.pairs.triplets import Region, Triplet, draw_triplets
from gensight.encodings.panels import Panel, sheet
from gensight.geometry import warp_image
from gensight.readers.base import Reader
from gensight.samples import Array, Instance, Item, Prediction, Relation, Sample, View
from gensight.transforms.augmentation import Augmentation, augment_pixels

Colours = Literal["own", "varied"]
_LIGHT = Augmentation(brightness=0.4, contrast=0.4, saturation=0.5, hue=0.5)  # any hue may become any other
_LEAST = 1e-3  # area of a region in cells below which it counts as out of view


class Appearance(RelationEncoding):
    """Triplets: an anchor, another image of its group (video, scene), and an image that shows something else.

    Output `descriptors`: one map of descriptors per image, (3, channels, grid_height, grid_width). Its target is
    the part of each cell that is compared, in [0, 1]; its shape depends on `region`:

    - `image`: (1, grid_height, grid_width), the part of the grid that the regions of all images have in
      common. Similarity is the mean cosine of corresponding cells (Luo et al., "Readout Guidance", CVPR 2024).
    - `box`, `mask`: (3, grid_height, grid_width), a region for each image. Similarity is the cosine of the regions'
      mean descriptors, wherever they lie.

    `descriptors_weight` is (1,), 0 where a region is unknown or out of view.

    With a region of `box` or `mask` an item is about one subject: the anchor's `Item.instance`, and the only instance
    of each other sample. A subject is found again by its identity, or, where it has none, as the only one of its
    category in both images. The other image of a group and the negative (a subject of the same category, where another
    group has one) are chosen at random from the seed.

    Args:
        stride: Model pixels per cell.
        region: `image`, or the `box` or `mask` of one subject.
        negative: `other-group`, or the anchor's `variant`: an altered copy, a sample whose `extras["variant_of"]` is
            the anchor's key. Variants are never anchor or positive.
        distance: Fewest and most frames between anchor and positive, counted within a group.
        seed: Seeds the choice of triplets.
        colours: The images' `own`, or `varied`: each of the three has its hues turned and its saturation, brightness
            and contrast changed at random, so that colour is no cue.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "appearance"
    num_samples = 3

    def __init__(
        self,
        stride: int = 8,
        region: Region = "image",
        negative: Literal["other-group", "variant"] = "other-group",
        distance: tuple[int, int] = (1, 1000),
        seed: int = 0,
        colours: Colours = "own",
    ) -> None:
        super().__init__(stride)
        self.region, self.negative, self.distance, self.seed = region, negative, frame_range(distance), seed
        self.colours: Colours = colours

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"descriptors": OutputSpec(0, "appearance")}

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """All images; the error is by how much the similarity of the third exceeds that of the second."""
        similarities = prediction.similarities
        if similarities is None:
            return None
        captions = ["anchor", *(f"similarity {value:.3f}" for value in similarities)]
        error = similarities[1] - similarities[0] if len(similarities) > 1 else -similarities[0]
        return Panel(sheet([sample.image() for sample in item.samples], captions), float(error), "margin missed by")

    def build_items(self, reader: Reader) -> Sequence[Item]:
        """One triplet for each sample (each subject in it) that has a partner; pixels are read on demand.

        Raises:
            DataError: If there is no triplet; the message states what the data set lacks.
        """
        triplets = draw_triplets(reader, self.region, self.negative == "variant", self.distance, self.seed)
        return Triplets(reader, triplets, self.seed if self.colours == "varied" else None)

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Regions (1 or 3, grid_height, grid_width) in [0, 1] and weight (1,)."""
        regions = self._regions(item, views)
        has_subjects = item.relation is not None and all(
            self.region == "image" or subject_of(item, slot) is not None for slot in range(len(item.samples))
        )
        weight = float(has_subjects and bool((regions.sum((1, 2)) > _LEAST).all()))
        return {"descriptors": torch.from_numpy(regions), "descriptors_weight": torch.tensor([weight])}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """How alike the first image and each further one are; 0 where nothing of a region is in view.

        An image whose subject is unknown is compared as a whole.
        """
        descriptors = outputs["descriptors"].detach().cpu().float()
        regions = torch.from_numpy(self._regions(item, views))
        return predict(item, similarities=tuple(region_similarities(descriptors[None], regions[None])[0].tolist()))

    def _regions(self, item: Item, views: tuple[View, ...]) -> Array:
        """float32 (1 or 3, grid_height, grid_width)."""
        parts = []
        for slot, view in enumerate(views):
            shown = warp_image(np.where(image_region(item, slot, self.region), np.uint8(255), np.uint8(0)), view)
            height, width = self.grid_size(view.model_size)
            cells = shown.reshape(height, self.stride, width, self.stride).mean((1, 3), dtype=np.float32)
            parts.append(cells / np.float32(255))
        regions = np.stack(parts)
        return regions.min(0, keepdims=True) if self.region == "image" else regions


class Triplets(ItemSequence):
    """Triplets of a reader's samples as items; only indices are stored. Picklable.

    Args:
        reader: Of the samples.
        triplets: Which samples.
        light: Seeds the random colours of each image; None: original colours.
    """

    def __init__(self, reader: Reader, triplets: Sequence[Triplet], light: int | None = None) -> None:
        self.reader, self.triplets, self.light = reader, triplets, light

    def __len__(self) -> int:
        return len(self.triplets)

    def item(self, index: int) -> Item:
        item = self._posed(self.triplets[index])
        if self.light is None:
            return item
        # Without a path: these are not the pixels of the file.
        lit = [
            replace(sample, image=_Lit(sample, (self.light, index % len(self), slot)), path=None)
            for slot, sample in enumerate(item.samples)
        ]
        return replace(item, samples=tuple(lit))

    def _posed(self, places: Triplet) -> Item:
        samples = [self.reader[place.sample] for place in places]
        if places[0].instance is None:
            return Item(tuple(samples), relation=Relation("triplet"))
        subjects = [_subject(sample, place.instance) for sample, place in zip(samples, places, strict=True)]
        if places[2].instance is None:  # a variant without labels keeps its anchor's
            subjects[2] = subjects[0]
        others = [replace(sample, instances=(one,)) for sample, one in zip(samples[1:], subjects[1:], strict=True)]
        boxes = [one.box for one in subjects if one.box is not None]
        relation = Relation("triplet", boxes=np.stack(boxes) if len(boxes) == len(subjects) else None)
        return Item((samples[0], *others), places[0].instance, relation=relation)


@dataclass(frozen=True, eq=False)
class _Lit:
    """`image()` of a sample with random colours, from the numbers of `seed`."""

    sample: Sample
    seed: tuple[int, ...]

    def __call__(self) -> Array:
        return augment_pixels(self.sample.image(), _LIGHT, np.random.default_rng(self.seed))


def _subject(sample: Sample, instance: int | None) -> Instance:
    return (sample.instances or ())[instance] if instance is not None else Instance()


def subject_of(item: Item, slot: int) -> Instance | None:
    """What an item is about in one of its images: the anchor's instance, the only one of another; None if unknown."""
    if item.instance is None:
        return None
    instances = item.samples[slot].instances or ()
    if slot == 0:
        return item.subject
    return instances[0] if len(instances) == 1 else None


def image_region(item: Item, slot: int, region: Region) -> Array:
    """bool (height, width): the pixels of one of an item's images that are compared; all where no subject is known."""
    height, width = item.samples[slot].size
    subject = None if region == "image" else subject_of(item, slot)
    if subject is not None and region == "mask" and subject.mask is not None:
        return subject.mask()
    if subject is None or subject.box is None:
        return np.ones((height, width), dtype=bool)
    shown = np.zeros((height, width), dtype=bool)
    left, top = np.floor(subject.box[:2] + 0.5).astype(int).clip(0)
    right, bottom = np.floor(subject.box[2:] + 0.5).astype(int).clip(0)
    shown[top:bottom, left:right] = True
    return shown


def region_similarities(descriptors: Tensor, regions: Tensor) -> Tensor:
    """(batch, samples - 1) in [-1, 1]: how alike the first image and each further one are.

    With one region for all images: the mean cosine of corresponding cells, weighted by the region. With a region for
    each image: the cosine of the mean descriptors of the regions. 0 where a region is empty.

    Args:
        descriptors: (batch, samples, channels, height, width), of any length.
        regions: (batch, 1 or samples, height, width), not negative.
    """
    descriptors = functional.normalize(descriptors.float(), dim=2)
    regions = regions.float()
    if regions.shape[1] == 1:
        cosines = (descriptors[:, :1] * descriptors[:, 1:]).sum(2)
        return (cosines * regions).sum((-2, -1)) / regions.sum((-2, -1)).clamp(min=1e-6)
    means = (descriptors * regions[:, :, None]).sum((-2, -1))  # the cosine ignores the length of a mean
    return functional.cosine_similarity(means[:, :1], means[:, 1:], dim=-1)
