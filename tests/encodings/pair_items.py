"""Descriptors and readers made up for tests of encodings that relate images."""

from collections.abc import Sequence

import numpy as np
import torch

from gensight.geometry import grid_to_image, pixel_centres
from gensight.readers.base import Reader, Summary
from gensight.samples import Array, Relation, Sample, Size, View

NUM_CHANNELS = 64


def black(size: Size) -> Array:
    return np.zeros((*size, 3), np.uint8)


def place_descriptors(points: Array, scale: float, seed: int = 0) -> Array:
    """(..., 64) of unit length, whose cosine falls off with distance, nearly as a Gaussian of this deviation.

    Random Fourier features: Rahimi and Recht, NIPS 2007.
    """
    waves = np.random.default_rng(seed).normal(0, 1 / scale, (NUM_CHANNELS // 2, 2))
    phase = points @ waves.T
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=-1) / np.sqrt(NUM_CHANNELS / 2)


def descriptor_map(view: View, grid_size: Size, to_first: Array, scale: float) -> torch.Tensor:
    """(64, grid_height, grid_width): each cell describes the place that it shows, in pixels of the first image."""
    places = grid_to_image(pixel_centres(grid_size), view, grid_size)
    first = places @ to_first[:2, :2].T + to_first[:2, 2]
    return torch.from_numpy(np.moveaxis(place_descriptors(first, scale), -1, 0)).float()


class Listed(Reader):
    """Samples from a list; relations from a dictionary, and how often they were read."""

    name = "listed"

    def __init__(
        self,
        samples: Sequence[Sample],
        relations: dict[tuple[int, int], Relation] | None = None,
        own_pairs: list[tuple[int, int]] | None = None,
    ) -> None:
        self.samples, self.relations, self.own_pairs = list(samples), relations, own_pairs
        self.num_relations_read = 0

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, index: int) -> Sample:
        return self.samples[index]

    def pairs(self) -> Sequence[tuple[int, int]] | None:
        return self.own_pairs

    def relation(self, first: int, second: int) -> Relation | None:
        self.num_relations_read += 1
        if self.relations is None:
            return Relation("tracks", np.full((2, 1, 2), 1.0))
        return self.relations.get((first, second))

    def check(self) -> Summary:
        return Summary(len(self), 0, ())
