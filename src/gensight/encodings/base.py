"""What every encoding is: Item <-> tensors, both ways in one class."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gensight.samples import Item, Prediction, Sample, Size, View


@dataclass(frozen=True)
class OutputSpec:
    """One named tensor that a method must produce for an encoding.

    Attributes:
        channels: Number of channels (maps) or length (vectors).
        kind: `map`, on the grid that covers the model frame, or `vector`.
        blob_sigma: For maps that hold one Gaussian blob of peak 1 each, its standard deviation as a share of the
            grid's geometric-mean side; None for any other map.
    """

    channels: int
    kind: Literal["map", "vector"] = "map"
    blob_sigma: float | None = None


class Encoding(ABC):
    """A target: what is asked of an image, and how the answer is laid out in tensors.

    `encode` gives targets in [0, 1] (maps) or named vectors, with a `NAME_weight` beside each, 0 where nothing is
    labelled. `decode` is its inverse up to a stated error, and gives a Prediction in the image frame. Neither knows of
    training ranges, losses or files.
    """

    name: str = ""

    @property
    @abstractmethod
    def outputs(self) -> dict[str, OutputSpec]:
        """The tensors that a method must produce."""

    @abstractmethod
    def items(self, sample: Sample) -> list[Item]:
        """The items that this sample can pose; empty if it lacks what the target needs."""

    @abstractmethod
    def grid_size(self, model_size: Size) -> Size:
        """(height, width) of the maps for a model frame of this size."""

    @abstractmethod
    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Targets and weights of one item, without a batch axis."""

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """The prediction that one item's output tensors (no batch axis) stand for, in the image frame."""

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs of a mirrored image, turned back (for flip tests): maps flipped, paired channels swapped."""
        return {name: torch.flip(t, dims=[-1]) if t.ndim >= 3 else t for name, t in outputs.items()}
