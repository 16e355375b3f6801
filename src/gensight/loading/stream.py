"""Streams of batches: endless for training, each item once for testing.

The batch of a training step is a function of (seed, step) alone, so that a run resumes from its step alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gensight.errors import UserError
from gensight.loading.cases import Case, Cases, collate
from gensight.loading.draw_order import Draw, DrawOrder
from gensight.samples import Batch


class _CaseDataset(Dataset[Case | UserError]):
    """Cases by draw. A user's mistake is returned as a value, since a worker would hide it in its own traceback."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    def __getitem__(self, draw: Draw) -> Case | UserError:
        try:
            return self.cases[draw]
        except UserError as error:
            return error


def _collate(cases: list[Case | UserError]) -> Batch | UserError:
    errors = [case for case in cases if isinstance(case, UserError)]
    return errors[0] if errors else collate([case for case in cases if isinstance(case, Case)])


def _start_worker(number: int) -> None:
    cv2.setNumThreads(0)  # OpenCV's threads did not survive the fork


def _batches(cases: Cases, draws: object, num_workers: int) -> Iterator[Batch]:
    loader: DataLoader[Case | UserError] = DataLoader(
        _CaseDataset(cases),
        batch_sampler=draws,  # type: ignore[arg-type]  # an iterator of lists of draws
        collate_fn=_collate,
        num_workers=num_workers,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if num_workers else None,
    )
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


@runtime_checkable
class Batches(Protocol):
    """A source of training batches."""

    @property
    def seed(self) -> int:
        """Seeds the batches, and everything else that is random in training."""

    def from_step(self, first: int, num_workers: int = 0, rank: int = 0, world_size: int = 1) -> Iterable[Batch]:
        """The endless stream from batch `first` on; of each, the share of process `rank` among `world_size`."""


@dataclass(frozen=True, eq=False)
class CaseBatches:
    """`Batches` of cases.

    Attributes:
        cases: The training cases.
        order: Which items each step gets.
    """

    cases: Cases
    order: DrawOrder

    @property
    def seed(self) -> int:
        return self.order.seed

    def from_step(self, first: int, num_workers: int = 0, rank: int = 0, world_size: int = 1) -> Iterable[Batch]:
        return _batches(self.cases, self.order.batches(first, rank, world_size), num_workers)


@runtime_checkable
class IndexedSource(Protocol):
    """Numbered items that make batches themselves, such as a pool of images on disk."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        """The batch of these items, each with its generator key, int64 (B,)."""


@dataclass(frozen=True)
class IndexedBatches:
    """`Batches` of an indexed source, made in the training process: each pass over it is a new permutation.

    Attributes:
        source: Of items.
        batch_size: Items per global batch.
        seed: Seeds order and keys.
    """

    source: IndexedSource
    batch_size: int
    seed: int

    def from_step(self, first: int, num_workers: int = 0, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        order = DrawOrder(len(self.source), self.batch_size, self.seed)
        for draws in order.batches(first, rank, world_size):
            keys = torch.tensor([draw.key for draw in draws], dtype=torch.int64)
            yield self.source.batch([draw.index for draw in draws], keys)


def each_once(cases: Cases, batch_size: int, num_workers: int = 0, view: int = 0, every: int = 1) -> Iterator[Batch]:
    """Every case once, or every `every`-th, in order; the key is the item's index, so noise repeats from evaluation to
    evaluation. Neighbours whose model frames differ in size are in different batches."""
    draws = [Draw(index, view, index) for index in range(0, len(cases), every)]
    sizes = groupby(draws, lambda draw: cases.policy.frame_size(cases.item(draw.index)))
    alike = [list(some) for _, some in sizes]
    batches = [some[first : first + batch_size] for some in alike for first in range(0, len(some), batch_size)]
    return _batches(cases, batches, num_workers)
