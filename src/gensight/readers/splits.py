"""Dividing a data set: pure functions over indices and groups, and the reader that shows only some samples.

Every function returns ascending indices. A requested part that would be empty is an error.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gensight.errors import DataError, did_you_mean
from gensight.readers.base import Reader, WrappedReader
from gensight.readers.shared.checking import Summary
from gensight.samples import Relation, Sample

Indices = list[int]


class EmptySplitError(DataError):
    """A division that leaves a part without samples."""


def split_by_shares(num: int, shares: Sequence[float], seed: int | None) -> tuple[Indices, ...]:
    """Parts of these shares: at random, the same for the same seed, or consecutive ones if it is None.

    Args:
        num: Number of samples.
        shares: In [0, 1], at most 1 in sum; what is left over belongs to no part.
        seed: Seeds the order; None: the first samples are the first part.

    Raises:
        DataError: A share above 0 gets no sample, or the shares add up to more than 1.
    """
    if min(shares) < 0 or sum(shares) > 1 + 1e-6:
        raise DataError(f"shares must be at least 0 and at most 1 in sum, got {list(shares)}")
    order = np.arange(num) if seed is None else np.random.default_rng(seed).permutation(num)
    stops = np.rint(np.cumsum(shares) * num).astype(int).tolist()
    parts = tuple(sorted(order[start:stop].tolist()) for start, stop in zip([0, *stops[:-1]], stops, strict=True))
    for part, share in zip(parts, shares, strict=True):
        if not part and share > 0:
            _refuse_empty(f"a share of {share:g} of {num} samples is less than one sample")
    return parts


def split_by_blocks(num: int, num_blocks: int, test_block: int) -> tuple[Indices, Indices]:
    """(train, test), where test is one of `num_blocks` contiguous blocks of nearly equal length, counted from 0.

    Raises:
        DataError: There is no such block, or fewer samples than blocks.
    """
    if not 0 <= test_block < num_blocks:
        raise DataError(f"there is no block {test_block}", choices=range(num_blocks))
    if num_blocks < 2 or num < num_blocks:
        _refuse_empty(f"{num} samples in {num_blocks} blocks leave a part empty")
    blocks = np.array_split(np.arange(num), num_blocks)
    train = np.concatenate([block for index, block in enumerate(blocks) if index != test_block])
    return train.tolist(), blocks[test_block].tolist()


def split_by_group(groups: Sequence[str], test_groups: Sequence[str]) -> tuple[Indices, Indices]:
    """(train, test), where test holds every sample of the named groups (videos, subjects, scenes).

    Args:
        groups: Each sample's group, as `Reader.groups`.
        test_groups: Groups to hold out.

    Raises:
        DataError: A group is unknown, or nothing is left for one of the parts.
    """
    known = list(dict.fromkeys(groups))
    for group in test_groups:
        if group not in known:
            hint = did_you_mean(group, known)
            raise DataError(f"there is no group `{group}`", choices=known, hint=hint)
    held_out = set(test_groups)
    test = [index for index, group in enumerate(groups) if group in held_out]
    train = [index for index, group in enumerate(groups) if group not in held_out]
    if not test or not train:
        _refuse_empty(f"holding out {len(held_out)} of {len(known)} groups leaves a part empty")
    return train, test


def validation_from_train(train: Sequence[int], share: float, seed: int | None = None) -> tuple[Indices, Indices]:
    """(train, validation): a share of the training samples, at random by `seed`, or the last ones if it is None.

    Neighbouring frames of a video are similar, so a random validation part gives optimistic scores: take the last ones.

    Raises:
        DataError: Nothing is left for one of the parts; a share of 0 gives an empty validation part.
    """
    num_validation = round(len(train) * share)
    if (share > 0 and num_validation == 0) or num_validation >= len(train):
        _refuse_empty(f"a validation share of {share:g} of {len(train)} training samples leaves a part empty")
    order = list(range(len(train)))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(train)).tolist()
    cut = len(train) - num_validation
    return sorted(train[i] for i in order[:cut]), sorted(train[i] for i in order[cut:])


def shared_images(parts: Sequence[Reader]) -> list[str]:
    """Paths of images that stand in more than one of some parts: the same file, or a copy of it under another name."""
    owners: dict[Path, int] = {}
    found: dict[str, None] = {}
    sizes: dict[int, list[tuple[int, Path]]] = {}
    if len(parts) < 2:
        return []
    for number, part in enumerate(parts):
        for index in range(len(part)):
            path = part[index].path
            if path is None or not Path(path).is_file():
                continue
            real = Path(path).resolve()
            if owners.setdefault(real, number) != number:
                found[path] = None
            sizes.setdefault(real.stat().st_size, []).append((number, real))
    for same in sizes.values():
        if len({number for number, _ in same}) < 2:
            continue
        contents: dict[bytes, int] = {}
        for number, real in same:
            digest = hashlib.blake2b(real.read_bytes(), digest_size=16).digest()
            if contents.setdefault(digest, number) != number:
                found[str(real)] = None
    return list(found)


def evenly_spaced(indices: Sequence[int], count: int) -> Indices:
    """`count` of the indices, evenly spaced from the first to the last.

    Raises:
        DataError: Fewer than `count` are there, or `count` is 0.
    """
    if not 1 <= count <= len(indices):
        raise DataError(f"cannot take {count} of {len(indices)} samples", hint=f"choose 1 to {len(indices)}")
    return [indices[int(place)] for place in np.rint(np.linspace(0, len(indices) - 1, count))]


def _refuse_empty(what: str) -> None:
    raise EmptySplitError(f"empty split: {what}", hint="choose other shares, fewer blocks, or label more images")


class Subset(WrappedReader):
    """Some samples of a reader, in the given order.

    Raises:
        DataError: No index is given.
        IndexError: An index lies outside the reader.
    """

    def __init__(self, reader: Reader, indices: Sequence[int]) -> None:
        if len(indices) == 0:
            _refuse_empty("a subset needs at least one sample")
        outside = [index for index in indices if not 0 <= index < len(reader)]
        if outside:
            raise IndexError(f"sample {outside[0]} of {len(reader)}")
        super().__init__(reader)
        self.indices = [int(index) for index in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, index: int) -> Sample:
        return self.reader.sample(self.indices[index])

    def pairs(self) -> Sequence[tuple[int, int]] | None:
        """The reader's own pairs whose two images are both kept."""
        pairs = self.reader.pairs()
        if pairs is None:
            return None
        place = {index: number for number, index in enumerate(self.indices)}
        return [(place[a], place[b]) for a, b in pairs if a in place and b in place]

    def relation(self, first: int, second: int) -> Relation | None:
        return self.reader.relation(self.indices[first], self.indices[second])

    @property
    def groups(self) -> list[str]:
        groups = self.reader.groups
        return [groups[index] for index in self.indices]

    def check(self) -> Summary:
        return Reader.check(self)
