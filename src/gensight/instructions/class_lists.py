"""Which classes are asked for at once, in training: `segment the cat and the dog`."""

from collections.abc import Collection, Sequence
from random import Random

COUNTS = (2, 2, 3)  # classes of a question, drawn from these


def several_classes(
    vocabulary: Sequence[str], shown: Collection[str], share: float, seed: str
) -> tuple[str, ...] | None:
    """Two or three classes of a vocabulary, in its order, which is that of their colours; None but for a share.

    One of them is there where anything is; of the others each is there with an even chance, if that many are.

    Args:
        vocabulary: What can be asked of the image.
        shown: What is there.
        share: Of the questions, in [0, 1].
        seed: Draws, and draws the same for the same text.
    """
    random = Random(seed)
    if len(vocabulary) < 2 or random.random() >= share:
        return None
    there = [name for name in vocabulary if name in shown]
    picked = {random.choice(there or list(vocabulary))}
    count = min(random.choice(COUNTS), len(vocabulary))
    while len(picked) < count:
        wanted = there if random.random() < 0.5 else vocabulary
        left = [name for name in wanted if name not in picked] or [name for name in vocabulary if name not in picked]
        picked.add(random.choice(left))
    return tuple(name for name in vocabulary if name in picked)
