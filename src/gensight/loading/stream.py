"""Streams of batches: endless for training, each item once for testing."""

from collections.abc import Iterator

from torch.utils.data import DataLoader, Dataset

from gensight.loading.cases import Case, Cases, collate
from gensight.loading.draws import Draw, DrawOrder
from gensight.samples import Batch


class _CaseDataset(Dataset[Case]):
    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    def __getitem__(self, draw: Draw) -> Case:  # type: ignore[override]  # the sampler yields draws, not integers
        return self.cases[draw]


def _loader(cases: Cases, draws: object, num_workers: int) -> DataLoader[Case]:
    return DataLoader(
        _CaseDataset(cases),
        batch_sampler=draws,  # type: ignore[arg-type]  # an iterator of lists of draws
        collate_fn=collate,
        num_workers=num_workers,
        prefetch_factor=4 if num_workers else None,
    )


class BatchStream:
    """The endless stream of training batches, from a given step on.

    Args:
        cases: The training cases.
        order: Which item is drawn when.
        first_step: Step to begin with; a resumed run gives the step it has reached.
        num_workers: Loader processes; 0 loads in the training process.
        rank: This process among `world_size`.
        world_size: Number of processes that share each global batch.
    """

    def __init__(
        self,
        cases: Cases,
        order: DrawOrder,
        first_step: int = 0,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.cases, self.order, self.first_step, self.num_workers = cases, order, first_step, num_workers
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[Batch]:
        draws = self.order.batches(self.first_step, self.rank, self.world_size)
        return iter(_loader(self.cases, draws, self.num_workers))  # type: ignore[arg-type]  # collate makes batches


def each_once(cases: Cases, batch_size: int, num_workers: int = 0, view: int = 0) -> Iterator[Batch]:
    """Every case once, in order; the key is the item's index, so noise repeats from evaluation to evaluation."""
    draws = [Draw(index, view, index) for index in range(len(cases))]
    batches = [draws[first : first + batch_size] for first in range(0, len(draws), batch_size)]
    return iter(_loader(cases, batches, num_workers))  # type: ignore[arg-type]  # collate makes batches
