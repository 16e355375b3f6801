"""Appearance scores: whether images of the same thing are more similar than images of different things."""

from collections.abc import Callable, Sequence

import numpy as np

from gensight.errors import ConfigError, DataError, did_you_mean
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.metrics.correspondence import check_answer, ratio
from gensight.samples import Array, Item, Prediction

_CHUNK = 200_000  # weights of single triplets held at a time


def appearance_metric(protocol: str, seed: int = 0) -> "AppearanceMetric":
    """A fresh metric of a protocol. ConfigError for an unknown name."""
    kinds: dict[str, type[AppearanceMetric]] = {one.protocol: one for one in (TwoAlternative, SameDifferentAuc)}
    if protocol not in kinds:
        raise ConfigError(
            f"no appearance protocol is called `{protocol}`",
            where="evaluation.protocols",
            choices=kinds,
            hint=did_you_mean(protocol, kinds),
        )
    return kinds[protocol](seed)


class AppearanceMetric(Metric):
    """Collects triplets' similarities: of the anchor and the positive, and of the anchor and the negative.

    A triplet without predicted similarities counts as the worst answer there is: its positive is unlike the anchor,
    its negative alike. Rows and resampling are by the anchor's image.

    Args:
        seed: Seeds the bootstrap.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._triplets: dict[str, dict[str, tuple[float, float]]] = {}
        self._groups: dict[str, str] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        """Notes one triplet. DataError if the item is none, or the prediction answers another item."""
        check_answer(prediction, item)
        if len(item.samples) != 3 or item.relation is None or item.relation.kind != "triplet":
            raise DataError(f"`{self.protocol}` needs triplets of images", where=item.key)
        similarities = prediction.similarities
        if similarities is not None and len(similarities) != 2:
            raise DataError(f"a triplet has two similarities, got {len(similarities)}", where=item.key)
        positive, negative = (float("nan"),) * 2 if similarities is None else similarities
        if not np.isfinite([positive, negative]).all():
            positive, negative = -np.inf, np.inf
        self._groups[item.sample.key] = item.sample.group
        self._triplets.setdefault(item.sample.key, {})[item.key] = (positive, negative)

    def merge(self, other: Metric) -> None:
        assert isinstance(other, AppearanceMetric), "only metrics of one class can be merged"
        for key, triplets in other._triplets.items():
            self._triplets.setdefault(key, {}).update(triplets)
        self._groups.update(other._groups)

    def compute(self) -> list[Result]:
        keys = sorted(self._triplets)
        images = [
            np.array([similarities for _, similarities in sorted(self._triplets[key].items())]).reshape(-1, 2)
            for key in keys
        ]
        wins = np.array(
            [[_wins(similarities).sum(), len(similarities)] for similarities in images], dtype=np.float64
        ).reshape(-1, 2)
        num_missing = sum(int(np.isinf(similarities[:, 0]).sum()) for similarities in images)
        rows = [
            {
                "sample_key": key,
                "group": self._groups[key],
                "score": won / count,
                "num_triplets": len(similarities),
                "margin": float((similarities[:, 0] - similarities[:, 1]).mean())
                if np.isfinite(similarities).all()
                else None,
            }
            for key, similarities, (won, count) in zip(keys, images, wins.tolist(), strict=True)
        ]
        notes = [f"{num_missing} triplets had no predicted similarities"] if num_missing else []
        groups = [self._groups[key] for key in keys]
        ranked = None if self._by_sums else rank_auc(images)
        result = make_result(
            self.protocol,
            statistics=wins if ranked is None else None,
            reduce=ratio if ranked is None else None,
            reweigh=ranked,
            groups=groups,
            rows=rows,
            higher_is_better=True,
            unit="%",
            notes=notes,
            seed=self.seed,
        )
        return [result]

    _by_sums: bool = True


class TwoAlternative(AppearanceMetric):
    """Share of triplets whose positive is more like the anchor than the negative is; a tie counts half.

    The two-alternative forced choice of Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018; chance is 50 %.
    """

    protocol = "two-alternative"


class SameDifferentAuc(AppearanceMetric):
    """Area under the ROC curve of "the same" against "different" over the similarities of all triplets' pairs.

    The probability that a random pair of the same thing is more alike than a random pair of different ones, also of
    another triplet; ties count half (Hanley and McNeil, Radiology 1982). One threshold must serve all images, so it
    is harder than two-alternative. Rows have the two-alternative share.
    """

    protocol = "same-different-auc"
    _by_sums = False


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
