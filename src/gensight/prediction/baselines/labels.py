"""The baseline of classifiers: class frequencies, the image is ignored."""

from collections import Counter

from gensight.encodings.class_label import ClassLabel
from gensight.loading.cases import Cases
from gensight.samples import Item, Prediction


class MostFrequentLabel:
    """Predicts for every image the class frequencies of the training part; the most frequent class wins.

    Args:
        cases: Training cases.
        encoding: That built them.
    """

    def __init__(self, cases: Cases, encoding: ClassLabel) -> None:
        counts = Counter(cases.item(index).sample.label for index in range(len(cases)))
        self.shares = {name: counts[name] / len(cases) for name in encoding.labels}

    def __call__(self, item: Item) -> Prediction:
        return Prediction.of(item, label_scores=self.shares)
