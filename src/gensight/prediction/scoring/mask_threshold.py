"""The brightness threshold of painted masks, chosen on the validation part."""

from collections.abc import Sequence

import numpy as np
import torch

from gensight.assembly.experiment import Experiment
from gensight.encodings.painted.base import EVEN, OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.files.progress import progress
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.methods.base import Method
from gensight.samples import Array

_THRESHOLDS = np.arange(1, 20) / 20
_MOST_QUERIES = 1000


@torch.inference_mode()
def best_threshold(experiment: Experiment, method: Method, device: str) -> float:
    """The threshold whose masks overlap most with the truth, in the mean over classes.

    Every class is queried, as for scoring; of more than 1,000 queries as many, evenly spaced. `EVEN` where the recipe
    has no masks or no validation part.
    """
    encoding, reader = experiment.encoding, experiment.splits.validation
    if not isinstance(encoding, Instructed) or "segment" not in encoding.tasks or reader is None:
        return EVEN
    masks = Instructed({"segment": encoding.tasks["segment"]}, encoding.categories, asking="all")
    cases, size = Cases(reader, masks, experiment.policy), experiment.config.evaluation.batch_size
    every = max(1, -(-len(cases) // _MOST_QUERIES))
    batches = each_once(cases, size, every=every)
    counts = {name: np.zeros((2, len(_THRESHOLDS) + 1)) for name in encoding.categories}
    method = method.to(device).eval()
    for batch in progress(batches, -(-len(cases) // (every * size)), "threshold of masks", "batches"):
        batch = batch.to(device)
        brightness, answer = (
            maps.mean(1).cpu().numpy() for maps in (method.predict(batch)[OUTPUT], batch.targets[OUTPUT])
        )
        known = batch.targets[f"{OUTPUT}_weight"][:, 0].cpu().numpy() > 0
        for row, item in enumerate(batch.items):
            assert item.query is not None  # each queries a class
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
