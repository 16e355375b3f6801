"""Appearance scores: whether images of the same thing are more similar than images of different things."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from gensight.errors import DataError
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result, mean_of_sums
from gensight.samples import Array, Item, Prediction

Protocol = Literal["two-alternative", "same-different-auc"]
_CHUNK = 200_000  # weights of single triplets held at a time


class TripletScores(ImageMetric[tuple[float, float]]):
    """Scores of triplets' similarities: of the anchor and the positive, and of the anchor and the negative.

    - `two-alternative`: the share of triplets whose positive is more like the anchor than the negative is; a tie counts
      half. The two-alternative forced choice of Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
      Perceptual Metric", CVPR 2018; chance is 50 %.
    - `same-different-auc`: the area under the ROC curve of "the same" against "different" over the similarities of all
      triplets' pairs: the probability that a random pair of the same thing is more alike than a random pair of
      different ones, also of another triplet; ties count half (Hanley and McNeil, Radiology 1982). One threshold must
      serve all images, so it is harder than two-alternative.

    A triplet without predicted similarities counts as the worst answer there is: its positive is unlike the anchor,
    its negative alike. Rows and resampling are by the anchor's image; rows have the two-alternative share.

    Args:
        protocol: As above.
        seed: Seeds the bootstrap.
    """

    def __init__(self, protocol: Protocol = "two-alternative", seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.protocol: Protocol = protocol

    def measure(self, prediction: Prediction, item: Item) -> tuple[float, float]:
        """Raises DataError if the item is no triplet."""
        if len(item.samples) != 3 or item.relation is None or item.relation.kind != "triplet":
            raise DataError(f"`{self.protocol}` needs triplets of images", where=item.key)
        similarities = prediction.similarities
        if similarities is not None and len(similarities) != 2:
            raise DataError(f"a triplet has two similarities, got {len(similarities)}", where=item.key)
        if similarities is None or not np.isfinite(similarities).all():
            return -np.inf, np.inf
        return similarities[0], similarities[1]

    def result(self, measure: str) -> Result:
        triplets = self.images()
        images = [np.array(of, dtype=np.float64) for _, of in triplets]
        wins = np.array([[_wins(of).sum(), len(of)] for of in images], dtype=np.float64).reshape(-1, 2)
        num_missing = sum(int(np.isinf(of[:, 0]).sum()) for of in images)
        rows = [
            head
            | {
                "score": won / count,
                "num_triplets": len(of),
                "margin": float((of[:, 0] - of[:, 1]).mean()) if np.isfinite(of).all() else None,
            }
            for (head, _), of, (won, count) in zip(triplets, images, wins.tolist(), strict=True)
        ]
        by_sums = self.protocol == "two-alternative"
        return make_result(
            self.protocol,
            statistics=wins if by_sums else None,
            reduce=mean_of_sums if by_sums else None,
            reweigh=None if by_sums else rank_auc(images),
            rows=rows,
            higher_is_better=True,
            unit="%",
            notes=[f"{num_missing} triplets had no predicted similarities"] if num_missing else [],
            seed=self.seed,
        )


def _wins(similarities: Array) -> Array:
    """float64 (n,): 1 where the positive of (n, 2) similarities is more alike, 0.5 at ties."""
    return (similarities[:, 0] > similarities[:, 1]) + 0.5 * (similarities[:, 0] == similarities[:, 1])


def rank_auc(images: Sequence[Array]) -> Callable[[Array], Array]:
    """A function from image weights (resamples, num_images) to the AUC of the images' similarities, weighted.

    Args:
        images: Per image float64 (num_triplets, 2): similarities of positives and of negatives.
    """
    similarities = np.concatenate(images) if images else np.zeros((0, 2))
    owners = np.repeat(np.arange(len(images)), [len(one) for one in images])
    order = np.argsort(similarities[:, 1], kind="stable")
    negatives = similarities[order, 1]
    below = np.searchsorted(negatives, similarities[:, 0], side="left")
    upto = np.searchsorted(negatives, similarities[:, 0], side="right")

    def auc(weights: Array) -> Array:
        result = np.full(len(weights), np.nan)
        rows = max(1, _CHUNK // max(1, len(similarities)))
        for start in range(0, len(weights), rows):
            part = weights[start : start + rows][:, owners]
            sums = np.concatenate([np.zeros((len(part), 1)), np.cumsum(part[:, order], axis=1)], axis=1)
            won = (part * (sums[:, below] + sums[:, upto]) / 2).sum(1)
            total = part.sum(1)
            np.divide(won, total**2, out=result[start : start + rows], where=total > 0)
        return result

    return auc
