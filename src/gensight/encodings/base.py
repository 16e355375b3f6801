"""The contract of encodings: Item <-> tensors, both ways in one class."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import torch
from torch import Tensor

from gensight.encodings.grids import grid_cells
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError
from gensight.readers.base import Reader
from gensight.samples import Item, Prediction, Sample, Size, View

# What a tensor holds, which determines the losses that can train it (table in methods/readout/loss.py):
# - `blobs`: maps in [0, 1], one Gaussian of peak 1 each, or nothing;
# - `sparse-image`: an image in [0, 1], 0 nearly everywhere (a drawn skeleton, edges);
# - `dense-image`: an image in [0, 1];
# - `values`: maps of numbers in [0, 1], some of them unknown (weight 0);
# - `affine-values`: the same, right up to one scale and shift per map;
# - `matching`, `appearance`: the head's own descriptors (channels 0: as many as the head has), one map per sample;
#   the target is what they are compared at: points (samples, num_points, 2) in model pixels, or regions
#   (samples, grid_height, grid_width) in [0, 1];
# - `vector`.
Kind = Literal["blobs", "sparse-image", "dense-image", "values", "affine-values", "matching", "appearance", "vector"]
DESCRIPTORS = ("matching", "appearance")


@dataclass(frozen=True)
class OutputSpec:
    """One named tensor that a method must produce for an encoding.

    Attributes:
        channels: Number of channels (maps) or length (vectors); 0 for descriptors, whose number is the head's choice.
        kind: What the tensor holds; see `Kind`. All but vectors lie on the grid that covers the model frame.
        blob_sigma: For `blobs`, the Gaussian's standard deviation as a share of the grid's geometric-mean side.
    """

    channels: int
    kind: Kind = "blobs"
    blob_sigma: float | None = None


class Encoding(ABC):
    """A prediction target, and its layout in tensors.

    `encode` gives targets in [0, 1] (maps) or named vectors, with a `NAME_weight` beside each, 0 where nothing is
    labelled. `decode` is its inverse up to a stated error, and gives a Prediction in the image frame. Neither knows of
    training ranges, losses or files.
    """

    name: str = ""
    num_samples: int = 1  # images per item: 2 for pairs, 3 for triplets

    @property
    @abstractmethod
    def outputs(self) -> dict[str, OutputSpec]:
        """The tensors that a method must produce."""

    @abstractmethod
    def items(self, sample: Sample) -> list[Item]:
        """The items of this sample alone; empty if it lacks what the target needs."""

    def build_items(self, reader: Reader) -> Sequence[Item]:
        """All items of a data set, lazily and in a fixed order. Encodings that relate images override it."""
        return SampleItems(reader, self)

    def for_scoring(self) -> "Encoding":
        """The encoding that builds the items of the test part; by default itself."""
        return self

    def items_to_predict(self, sample: Sample) -> list[Item]:
        """The items of a sample to predict on, labelled or not: its own, else the image as a whole."""
        return self.items(sample) or [Item((sample,))]

    @abstractmethod
    def grid_size(self, model_size: Size) -> Size:
        """(height, width) of the maps for a model frame of this size."""

    @abstractmethod
    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Targets and weights of one item, without a batch axis."""

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """The prediction that one item's output tensors (no batch axis) stand for, in the image frame."""

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """A prediction of this encoding beside its ground truth, for the report; None: listed without a picture."""
        return None

    @property
    def members(self) -> tuple["Encoding", ...]:
        """The encodings that it is made of: itself, or its parts."""
        return (self,)

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs of a mirrored image, turned back (for flip tests): maps flipped, paired channels swapped."""
        return {name: torch.flip(t, dims=[-1]) if t.ndim >= 3 else t for name, t in outputs.items()}


class GridEncoding(Encoding):
    """A target with maps whose cells are of a fixed size.

    Args:
        stride: Model pixels per cell.

    Errors:
        ConfigError: `stride` is out of its range.
    """

    cells: str = ""  # what messages call its maps

    def __init__(self, stride: int) -> None:
        if stride < 1:
            raise ConfigError(f"a {self.cells}'s stride must be at least 1 model pixel per cell, got {stride}")
        self.stride = stride

    def grid_size(self, model_size: Size) -> Size:
        """Cells of `stride` model pixels. ConfigError where they do not tile the frame."""
        return grid_cells(model_size, self.stride, self.cells)


class RelationEncoding(GridEncoding):
    """A target that relates images, each with a map of descriptors: one sample alone has no items."""

    cells = "descriptor"

    def items(self, sample: Sample) -> list[Item]:
        return []

    def items_to_predict(self, sample: Sample) -> list[Item]:
        return []


def predict(item: Item, **fields: Any) -> Prediction:
    """The prediction of an item; `fields` are those of `Prediction` that hold what is predicted."""
    sample = item.sample
    return Prediction(sample.key, sample.size, item_key=item.key, group=sample.group, **fields)


class ItemSequence(Sequence[Item], ABC):
    """Items that are built one at a time, each time one is read by its index or in a slice."""

    @abstractmethod
    def item(self, index: int) -> Item:
        """The item at an index."""

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self.item(i) for i in range(*index.indices(len(self)))]
        return self.item(index)

    def __iter__(self) -> Iterator[Item]:
        return (self.item(index) for index in range(len(self)))


class SampleItems(ItemSequence):
    """The items of each sample of a reader alone; picklable, stores only their indices."""

    def __init__(self, reader: Reader, encoding: Encoding) -> None:
        self.reader, self.encoding = reader, encoding
        self._places = [
            (index, number) for index, sample in enumerate(reader) for number in range(len(encoding.items(sample)))
        ]

    def __len__(self) -> int:
        return len(self._places)

    def item(self, index: int) -> Item:
        sample, number = self._places[index]
        return self.encoding.items(self.reader[sample])[number]
