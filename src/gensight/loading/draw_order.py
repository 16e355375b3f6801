"""The random order of items, a pure function of (seed, step), so that resuming needs only the step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gensight.files.hashing import mix


@dataclass(frozen=True)
class Draw:
    """One item of one batch.

    Attributes:
        index: Index into the cases.
        view: Which of the K fixed augmented views, where views are fixed (feature cache); else 0.
        key: Random generator key of this draw.
    """

    index: int
    view: int
    key: int


class DrawOrder:
    """An endless shuffled order of items: each epoch is a new permutation, and epoch e shows view e modulo K.

    Args:
        num_items: Number of items, at least 1.
        batch_size: Items per global batch.
        seed: Any integer.
        num_views: K fixed augmented views of each item.
    """

    def __init__(self, num_items: int, batch_size: int, seed: int, num_views: int = 1) -> None:
        self.num_items, self.batch_size, self.seed, self.num_views = num_items, batch_size, seed, num_views
        self._epoch = -1
        self._order = np.zeros(0, dtype=np.int64)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> list[Draw]:
        """The draws of a global step that fall to process `rank` of `world_size`."""
        first = step * self.batch_size
        return [self._draw(p) for p in range(first + rank, first + self.batch_size, world_size)]

    def _draw(self, position: int) -> Draw:
        epoch, offset = divmod(position, self.num_items)
        if epoch != self._epoch:
            self._order = np.random.default_rng(mix(self.seed, epoch)).permutation(self.num_items)
            self._epoch = epoch
        return Draw(int(self._order[offset]), epoch % self.num_views, mix(self.seed, position))

    def batches(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[list[Draw]]:
        step = first_step
        while True:
            yield self.batch(step, rank, world_size)
            step += 1
