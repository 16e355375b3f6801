"""Appearance similarity without learning: colour histograms."""

import cv2
import numpy as np

from gensight.encodings.pairs.appearance import image_region
from gensight.encodings.pairs.triplets import Region
from gensight.samples import Array, Item, Prediction

_NUM_BINS = 8  # along each of L, a and b


class ColourHistogram:
    """How much of two images' colours agree: the intersection of their Lab histograms, in [0, 1].

    Swain and Ballard, "Color indexing", IJCV 1991, with 8 bins a channel. Counted are the pixels of the regions that
    the encoding compares, in the whole image.

    Args:
        region: `image`, or the `box` or `mask` of the item's subject.
    """

    def __init__(self, region: Region = "image") -> None:
        self.region: Region = region

    def __call__(self, item: Item) -> Prediction:
        anchor, *others = (self._histogram(item, slot) for slot in range(len(item.samples)))
        return Prediction.of(item, similarities=tuple(float(np.minimum(anchor, other).sum()) for other in others))

    def _histogram(self, item: Item, slot: int) -> Array:
        """float64 (512,) of sum 1; zeros for an empty region."""
        shown = image_region(item, slot, self.region)
        lab = cv2.cvtColor(item.samples[slot].image(), cv2.COLOR_RGB2LAB)[shown].astype(np.int64)
        lightness, green_red, blue_yellow = (lab * _NUM_BINS // 256).T
        index = (lightness * _NUM_BINS + green_red) * _NUM_BINS + blue_yellow
        return np.bincount(index, minlength=_NUM_BINS**3) / max(len(lab), 1)
