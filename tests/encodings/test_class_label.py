"""The class of an image as probabilities: exact both ways."""

import numpy as np
import pytest
import torch

from gensight.encodings.class_label import ClassLabel
from gensight.errors import ConfigError
from gensight.samples import Item
from tests.contracts.encoding import EncodingContract, blank_sample

LABELS = ("cat", "dog", "teddy bear")


class TestClassLabel(EncodingContract):
    def encoding(self):
        return ClassLabel(LABELS)

    def item(self, rng: np.random.Generator) -> Item:
        return self.encoding().items(blank_sample(label=str(rng.choice(LABELS))))[0]

    def assert_within_bound(self, prediction, item, view):
        assert prediction.label_scores == {name: float(name == item.sample.label) for name in LABELS}


def test_images_with_foreign_labels_are_no_training_items_but_are_predicted() -> None:
    encoding = ClassLabel(LABELS)
    assert encoding.items(blank_sample(label="horse")) == []
    [item] = encoding.items_to_predict(blank_sample(label="horse"))
    assert item.query is not None
    assert (item.query.task, item.query.options) == ("classify", LABELS)
    weight = encoding.encode(item, ())["class_weight"]
    assert torch.equal(weight, torch.zeros(3))


@pytest.mark.parametrize("labels", [(), ("cat",), ("cat", "cat")])
def test_a_vocabulary_of_fewer_than_two_is_none(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="from two labels or more"):
        ClassLabel(labels)
