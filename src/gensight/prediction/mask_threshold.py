"""How bright a pixel of a painted mask must be, by the validation part."""

from collections.abc import Sequence

import numpy as np
import torch

from gensight.encodings.instructed import Instructed
from gensight.encodings.painted import EVEN, OUTPUT
from gensight.engine.experiment import Experiment
from gensight.files.progress import progress
from gensight.loading.cases import Cases, collate
from gensight.loading.draws import Draw
from gensight.methods.base import Method
from gensight.samples import Array

_THRESHOLDS = np.arange(1, 20) / 20
_MOST_QUESTIONS = 1000


@torch.inference_mode()
def best_threshold(experiment: Experiment, method: Method, device: str) -> float:
    """The threshold whose masks overlap most with the truth, in the mean over classes.

    Every class is asked, as for scoring; of more than 1,000 questions as many, evenly spaced. `EVEN` where the recipe
    has no masks or no validation part.
    """
    encoding, reader = experiment.encoding, experiment.splits.validation
    if not isinstance(encoding, Instructed) or "segment" not in encoding.tasks or reader is None:
        return EVEN
    asking = Instructed({"segment": encoding.tasks["segment"]}, encoding.categories, seed=encoding.seed, asking="all")
    cases = Cases(reader, asking, experiment.policy)
    every = max(1, -(-len(cases) // _MOST_QUESTIONS))
    draws = [Draw(index, 0, index) for index in range(0, len(cases), every)]
    counts = {name: np.zeros((2, len(_THRESHOLDS) + 1)) for name in encoding.categories}
    size = experiment.config.evaluation.batch_size
    method = method.to(device).eval()
    for first in progress(range(0, len(draws), size), -(-len(draws) // size), "threshold of masks", "batches"):
        batch = collate([cases[draw] for draw in draws[first : first + size]]).to(device)
        brightness, answer = (
            maps.mean(1).cpu().numpy() for maps in (method.predict(batch)[OUTPUT], batch.targets[OUTPUT])
        )
        known = batch.targets[f"{OUTPUT}_weight"][:, 0].cpu().numpy() > 0
        for row, item in enumerate(batch.items):
            assert item.query is not None  # all are asked for a class
            places = np.digitize(brightness[row], _THRESHOLDS)
            for inside in (0, 1):
                pixels = known[row] & ((answer[row] > EVEN) == inside)
                counts[item.query.options[0]][inside] += np.bincount(places[pixels], minlength=len(_THRESHOLDS) + 1)
    return largest_overlap(list(counts.values()))


def largest_overlap(counts: Sequence[Array]) -> float:
    """The threshold of the largest mean overlap, the one nearest even if several have it.

    Args:
        counts: Per class, (2, 20): pixels outside and inside it, by brightness in twentieths.
    """
    overlaps = []
    for outside, inside in counts:
        if inside.sum() > 0:
            false, right = (np.cumsum(one[::-1])[::-1][1:] for one in (outside, inside))
            overlaps.append(right / (inside.sum() + false))
    if not overlaps:
        return EVEN
    mean = np.mean(overlaps, axis=0)
    best = _THRESHOLDS[mean >= mean.max() - 1e-9]
    return float(best[np.argmin(np.abs(best - EVEN))])
