"""Classification of whole images: top-1, top-5, balanced accuracy, and how well confidence is calibrated.

- `top-1`, `top-5`: share of images whose true class is among the most probable 1 or 5. Classes that tie with the true
  one come before it, so that equal probabilities for all classes score 0.
- `balanced-accuracy`: the mean over true classes of top-1 (Brodersen et al., ICPR 2010).
- `ece`: expected calibration error (Guo et al., ICML 2017): in 15 bins of equal width of the highest probability, the
  mean gap between it and the share that is right, weighted by images.

An image without an answer is wrong, with confidence 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.samples import Array, Item, Prediction

Measure = Literal["top-1", "top-5", "balanced-accuracy", "ece"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
FAMILY = "classification"  # all of them
NUM_BINS = 15


@dataclass(frozen=True)
class _Answer:
    label: str
    predicted: str | None
    rank: int  # of the true class, from 1; beyond all classes where it isn't among the answers
    confidence: float
    group: str


class LabelScores(Metric):
    """Scores of predicted labels, one result for each measure.

    Args:
        measures: Of `MEASURES`.
        seed: Seeds the bootstrap.
    """

    protocol = FAMILY

    def __init__(self, measures: Sequence[Measure] = MEASURES, seed: int = 0) -> None:
        self.measures, self.seed = tuple(measures), seed
        self._answers: dict[str, _Answer] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        """Scores one image. DataError for an image without a label, or another image's prediction."""
        sample = item.sample
        if prediction.sample_key != sample.key:
            raise DataError(f"a prediction of `{prediction.sample_key}` cannot be scored against `{sample.key}`")
        if sample.label is None:
            raise DataError(f"`{self.protocol}` needs images whose class is known", where=sample.key)
        scores = prediction.label_scores or {}
        predicted = max(scores, key=lambda name: scores[name]) if scores else None
        confidence = float(np.clip(scores[predicted], 0, 1)) if predicted is not None else 0.0
        rank = _rank(scores, sample.label)
        self._answers[sample.key] = _Answer(sample.label, predicted, rank, confidence, sample.group)

    def merge(self, other: Metric) -> None:
        assert isinstance(other, LabelScores), "only metrics of one class can be merged"
        self._answers.update(other._answers)

    def compute(self) -> list[Result]:
        return [self._result(measure) for measure in self.measures]

    def _result(self, measure: Measure) -> Result:
        keys = sorted(self._answers)
        answers = [self._answers[key] for key in keys]
        right = np.array([one.rank <= (5 if measure == "top-5" else 1) for one in answers], dtype=np.float64)
        labels = sorted({one.label for one in answers})
        statistics, reduce = _sums(measure, answers, right, labels)
        parts = {
            name: float(np.mean([hit for hit, one in zip(right, answers, strict=True) if one.label == name]))
            for name in labels
        }
        return make_result(
            measure,
            statistics=statistics,
            reduce=reduce,
            groups=[one.group for one in answers],
            rows=[
                {
                    "sample_key": key,
                    "group": one.group,
                    "score": float(hit),
                    "label": one.label,
                    "said": one.predicted,
                    "confidence": one.confidence,
                }
                for key, one, hit in zip(keys, answers, right, strict=True)
            ],
            higher_is_better=measure != "ece",
            unit="%",
            parts={} if measure == "ece" else parts,
            seed=self.seed,
        )


def classification_metric(protocol: str, seed: int = 0) -> LabelScores:
    """The metric of a protocol: `classification` with all measures, or one. Raises ConfigError on other names."""
    found = [one for one in MEASURES if protocol in (FAMILY, one)]
    if not found:
        raise ConfigError(
            f"no classification protocol is called `{protocol}`",
            where="evaluation.protocols",
            choices=(FAMILY, *MEASURES),
        )
    return LabelScores(found, seed)


def _sums(measure: Measure, answers: list[_Answer], right: Array, labels: list[str]) -> tuple[Array, "partial[Array]"]:
    num = len(answers)
    if measure == "ece":
        bins = np.minimum([int(one.confidence * NUM_BINS) for one in answers], NUM_BINS - 1).astype(int)
        sums = np.zeros((num, NUM_BINS, 2))
        sums[np.arange(num), bins, 0] = np.array([one.confidence for one in answers]) - right
        sums[np.arange(num), bins, 1] = 1
        return sums.reshape(num, 2 * NUM_BINS), partial(_calibration_error)
    if measure == "balanced-accuracy":
        sums = np.zeros((num, len(labels), 2))
        places = np.array([labels.index(one.label) for one in answers], dtype=int)
        sums[np.arange(num), places, 0], sums[np.arange(num), places, 1] = right, 1
        return sums.reshape(num, 2 * len(labels)), partial(_balanced)
    return np.column_stack([right, np.ones(num)]), partial(_mean)


def _rank(scores: Mapping[str, float], label: str) -> int:
    if label not in scores:
        return len(scores) + 1_000_000
    return 1 + sum(name != label and value >= scores[label] for name, value in scores.items())


def _calibration_error(sums: Array) -> Array:
    of = np.reshape(sums, (*np.shape(sums)[:-1], NUM_BINS, 2))
    total = of[..., 1].sum(-1)
    return np.divide(np.abs(of[..., 0]).sum(-1), total, out=np.full(total.shape, np.nan), where=total > 0)


def _balanced(sums: Array) -> Array:
    of = np.reshape(sums, (*np.shape(sums)[:-1], -1, 2))
    seen = of[..., 1] > 0
    shares = np.divide(of[..., 0], of[..., 1], out=np.zeros(seen.shape), where=seen)
    num = seen.sum(-1)
    return np.divide(shares.sum(-1), num, out=np.full(num.shape, np.nan), where=num > 0)


def _mean(sums: Array) -> Array:
    total = np.asarray(sums[..., 1])
    return np.divide(sums[..., 0], total, out=np.full(total.shape, np.nan), where=total > 0)
