"""Queries of several classes at once, for training: `segment the cat and the dog`."""

from collections.abc import Collection, Sequence
from random import Random

COUNTS = (2, 2, 3)  # numbers of classes in a query, sampled uniformly


def several_classes(
    vocabulary: Sequence[str], shown: Collection[str], share: float, seed: str
) -> tuple[str, ...] | None:
    """For a share of the queries two or three classes of a vocabulary, in its order (that of their colours); else None.

    At least one class is visible if any is; each other one is visible with probability 1/2, if enough classes are.

    Args:
        vocabulary: Classes that can be queried on the image.
        shown: Classes that are visible in it.
        share: Share of the queries with several classes, in [0, 1].
        seed: Seeds the choice; the same text gives the same classes.
    """
    random = Random(seed)
    if len(vocabulary) < 2 or random.random() >= share:
        return None
    visible = [name for name in vocabulary if name in shown]
    picked = {random.choice(visible or list(vocabulary))}
    count = min(random.choice(COUNTS), len(vocabulary))
    while len(picked) < count:
        pool = visible if random.random() < 0.5 else vocabulary
        left = [name for name in pool if name not in picked] or [name for name in vocabulary if name not in picked]
        picked.add(random.choice(left))
    return tuple(name for name in vocabulary if name in picked)
