"""Classification of whole images: top-1, top-5, balanced accuracy, and how well confidence is calibrated.

- `top-1`, `top-5`: share of images whose true class is among the most probable 1 or 5. Classes that tie with the true
  one come before it, so that equal probabilities for all classes score 0.
- `balanced-accuracy`: the mean over true classes of top-1 (Brodersen et al., ICPR 2010).
- `ece`: expected calibration error (Guo et al., ICML 2017): in 15 bins of equal width of the highest probability, the
  mean gap between it and the share that is right, weighted by images.

An image without an answer is wrong, with confidence 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gensight.errors import DataError
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result, mean_of_known, mean_of_sums, ratio
from gensight.samples import Array, Item, Prediction

Measure = Literal["top-1", "top-5", "balanced-accuracy", "ece"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
NUM_BINS = 15


@dataclass(frozen=True)
class _Answer:
    label: str
    predicted: str | None
    rank: int  # of the true class, from 1; beyond all classes where it isn't among the answers
    confidence: float


class LabelScores(ImageMetric[_Answer]):
    """Scores of predicted labels, one result for each measure.

    Args:
        measures: Of `MEASURES`.
        seed: Seeds the bootstrap.
    """

    protocol = "classification"
    measures = MEASURES
    whole_images = True

    def measure(self, prediction: Prediction, item: Item) -> _Answer:
        """Raises DataError for an image without a label."""
        label, scores = item.sample.label, prediction.label_scores or {}
        if label is None:
            raise DataError(f"`{self.protocol}` needs images whose class is known", where=item.sample.key)
        predicted = max(scores, key=lambda name: scores[name]) if scores else None
        confidence = float(np.clip(scores[predicted], 0, 1)) if predicted is not None else 0.0
        return _Answer(label, predicted, _rank(scores, label), confidence)

    def result(self, measure: Measure) -> Result:
        images = self.images()
        answers = [of[0] for _, of in images]
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
            rows=[
                head | {"score": hit, "label": one.label, "said": one.predicted, "confidence": one.confidence}
                for (head, _), one, hit in zip(images, answers, right.tolist(), strict=True)
            ],
            higher_is_better=measure != "ece",
            unit="%",
            parts={} if measure == "ece" else parts,
            seed=self.seed,
        )


def _sums(
    measure: Measure, answers: list[_Answer], right: Array, labels: list[str]
) -> tuple[Array, Callable[[Array], Array]]:
    """What is added up over images, and how the measure follows from it."""
    num = len(answers)
    if measure == "ece":
        bins = np.minimum([int(one.confidence * NUM_BINS) for one in answers], NUM_BINS - 1).astype(int)
        sums = np.zeros((num, NUM_BINS, 2))
        sums[np.arange(num), bins, 0] = np.array([one.confidence for one in answers]) - right
        sums[np.arange(num), bins, 1] = 1
        return sums.reshape(num, 2 * NUM_BINS), _calibration_error
    if measure == "balanced-accuracy":
        sums = np.zeros((num, len(labels), 2))
        places = np.array([labels.index(one.label) for one in answers], dtype=int)
        sums[np.arange(num), places, 0], sums[np.arange(num), places, 1] = right, 1
        return sums.reshape(num, 2 * len(labels)), _balanced
    return np.column_stack([right, np.ones(num)]), mean_of_sums


def _rank(scores: Mapping[str, float], label: str) -> int:
    if label not in scores:
        return len(scores) + 1_000_000
    return 1 + sum(name != label and value >= scores[label] for name, value in scores.items())


def _calibration_error(sums: Array) -> Array:
    of = np.reshape(sums, (*np.shape(sums)[:-1], NUM_BINS, 2))
    return ratio(np.abs(of[..., 0]).sum(-1), of[..., 1].sum(-1))


def _balanced(sums: Array) -> Array:
    return mean_of_known(mean_of_sums(np.reshape(sums, (*np.shape(sums)[:-1], -1, 2))))
