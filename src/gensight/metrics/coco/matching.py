"""COCOeval's matching and averaging, image by image, so that images can be reweighted without matching again.

Greedy matching, areas, `iscrowd` and the 101 recall levels are those of pycocotools. What differs is the order of
work: images are matched once, into a table of detections sorted by score, and a resample of images is a weighted
cumulative sum over that table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gensight.metrics.bootstrap import ratio
from gensight.samples import Array

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
_EPSILON = float(np.spacing(1))
_CHUNK = 100_000  # weights of single detections held at a time: few enough for the processor's cache


@dataclass(frozen=True, eq=False)
class Scored:
    """One image's detections by falling score, and its ground truths (D and G of them).

    Attributes:
        similarities: float64 (D, G), OKS or IoU.
        scores: float64 (D,), falling.
        areas: float64 (D,) px^2 of the detections.
        truth_areas: float64 (G,) px^2.
        truth_ignored: bool (G,), found or not, they do not count.
        truth_crowds: bool (G,), may be found again and again.
    """

    similarities: Array
    scores: Array
    areas: Array
    truth_areas: Array
    truth_ignored: Array
    truth_crowds: Array


@dataclass(frozen=True, eq=False)
class Matches:
    """One image under one area range, at T thresholds.

    Attributes:
        scores: float64 (D,), falling.
        hits: bool (T, D), matched to a ground truth that counts.
        ignored: bool (T, D), neither hit nor false alarm.
        best: Per ground truth that counts, the similarity of its match at the first threshold; 0 without a match.
    """

    scores: Array
    hits: Array
    ignored: Array
    best: list[float]


@dataclass(frozen=True, eq=False)
class Table:
    """All images' matches under one area range, detections sorted by falling score.

    Attributes:
        images: int (D,): each detection's image.
        hits: bool (T, D).
        ignored: bool (T, D).
        num_truths: float64 (num_images,).
    """

    images: Array
    hits: Array
    ignored: Array
    num_truths: Array

    def average_precision(self, weights: Array) -> Array:
        """(resamples, T) for image weights (resamples, num_images), whole numbers; NaN where no ground truth counts."""
        result = np.full((len(weights), len(self.hits)), np.nan)
        rows = max(1, int(_CHUNK / max(1, len(self.images), self.num_truths.sum())))
        for start in range(0, len(weights), rows):
            part = weights[start : start + rows]
            num_truths = part @ self.num_truths
            reached = levels_reached(num_truths)
            for threshold in range(len(self.hits)):
                column = self._precision_at(part, reached, threshold)
                result[start : start + rows, threshold] = np.where(num_truths > 0, column, np.nan)
        return result

    def whole_precision(self) -> Array:
        """(T,): average precision over all images, each counted once."""
        precision: Array = self.average_precision(np.ones((1, len(self.num_truths))))[0]
        return precision

    def whole_recall(self) -> Array:
        """(T,): the share of the truths that are found; NaN where no ground truth counts."""
        found = (self.hits & ~self.ignored).sum(1)
        return ratio(found, np.full(found.shape, self.num_truths.sum()))

    def _precision_at(self, weights: Array, reached: Array, threshold: int) -> Array:
        """Precision averaged over the recall levels.

        Precision is only ever read where recall rises, which is at hits. A repeated image repeats its detections side
        by side; reading after the last copy gives what reading between them would, since precision grows over the
        copies of a hit.
        """
        counted = np.flatnonzero(~self.ignored[threshold])
        hits = np.flatnonzero(self.hits[threshold, counted])
        drawn = weights[:, self.images[counted]]
        num_hits = np.cumsum(drawn[:, hits], axis=1)
        num_counted = np.cumsum(drawn, axis=1)[:, hits]
        precision = num_hits / (num_counted + _EPSILON)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        levels = np.take_along_axis(reached, num_hits.astype(np.intp), axis=1)
        return (envelope * np.diff(levels, axis=1, prepend=0)).sum(1) / len(RECALLS)


def levels_reached(num_truths: Array) -> Array:
    """How many of the 101 recall levels are reached by 0, 1, 2 ... hits: int16 (resamples, most truths + 1).

    A level counts as reached where hits / truths, as a float, is at least the level: pycocotools compares them so.
    """
    truths = np.maximum(num_truths, 1)[:, None]
    needed = np.floor(RECALLS * truths)  # the fewest hits that reach each level, within one
    needed += needed / truths < RECALLS
    needed -= (needed - 1) / truths >= RECALLS
    width = int(truths.max(initial=1)) + 1
    cells = needed.astype(np.intp) + np.arange(len(truths))[:, None] * width
    counts = np.bincount(cells.ravel(), minlength=len(truths) * width).reshape(len(truths), width)
    return np.cumsum(counts, axis=1, dtype=np.int16)


def match_image(image: Scored, limits: tuple[float, float]) -> Matches:
    """COCOeval's greedy matching of one image: by falling score, each detection takes the most similar free truth.

    Truths that count come before ignored ones; a crowd can be matched again and again; an unmatched detection whose
    area is out of the range `limits` (px^2) is ignored.
    """
    low, high = limits
    crowds = image.truth_crowds.tolist()
    unwanted = (image.truth_ignored | (image.truth_areas < low) | (image.truth_areas > high)).tolist()
    order = sorted(range(len(unwanted)), key=lambda index: unwanted[index])
    outside = (image.areas < low) | (image.areas > high)
    ignored = np.repeat(outside[None], len(THRESHOLDS), axis=0)
    hits = np.zeros_like(ignored)
    best = [0.0] * len(unwanted)
    similarities = image.similarities.tolist()
    for level, threshold in enumerate(THRESHOLDS.tolist()):
        taken = [False] * len(unwanted)
        for number, row in enumerate(similarities):
            match, reached = -1, min(threshold, 1 - 1e-10)
            for index in order:
                if taken[index] and not crowds[index]:
                    continue
                if match >= 0 and not unwanted[match] and unwanted[index]:
                    break
                if row[index] >= reached:
                    match, reached = index, row[index]
            if match < 0:
                continue
            taken[match] = True
            hits[level, number], ignored[level, number] = not unwanted[match], unwanted[match]
            if level == 0:
                best[match] = reached
    return Matches(image.scores, hits, ignored, [best[index] for index, skip in enumerate(unwanted) if not skip])


def build_table(matches: Sequence[Matches]) -> Table:
    """All images' matches in one table; equal scores stay in the order of the images."""
    none = np.zeros((len(THRESHOLDS), 0), dtype=bool)
    scores = np.concatenate([np.zeros(0), *(of.scores for of in matches)])
    order = np.argsort(-scores, kind="stable")
    return Table(
        np.repeat(np.arange(len(matches)), [len(of.scores) for of in matches])[order],
        np.concatenate([none, *(of.hits for of in matches)], axis=1)[:, order],
        np.concatenate([none, *(of.ignored for of in matches)], axis=1)[:, order],
        np.array([len(of.best) for of in matches], dtype=np.float64),
    )
