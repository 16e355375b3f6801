"""Requests about images, answered batch by batch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding, OutputSpec
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.methods.loss import Loss
from gensight.prediction.predictor import Predictor
from gensight.prediction.request import Request
from gensight.samples import Array, Batch, Instance, Item, Prediction, Sample, Size, View

SIZE = (8, 8)


class Mean(Method):
    """The mean of an image, as a map; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []
        self.samplings: list[Sampling | None] = []

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        raise NotImplementedError

    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        self.batches.append(batch)
        self.samplings.append(sampling)
        return {"mean": batch.images[-1].mean((1, 2, 3)).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return []


class Means(Encoding):
    """An instance whose confidence is the mean of its box."""

    name = "means"

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"mean": OutputSpec(1, "values")}

    def items(self, sample: Sample) -> list[Item]:
        return []

    def grid_size(self, model_size: Size) -> Size:
        return (2, 2)

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        return {}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        box = None if item.subject is None else item.subject.box
        found = Instance(box=box, confidence=float(outputs["mean"].mean()))
        return Prediction(item.sample.key, item.sample.size, (found,), item_key=item.key)


@dataclass
class Images:
    """Images of one grey each; counts how often each is read."""

    greys: list[int]
    read: list[str] = field(default_factory=list)

    def sample(self, number: int) -> Sample:
        def image() -> Array:
            self.read.append(str(number))
            return np.full((*SIZE, 3), self.greys[number], np.uint8)

        return Sample(str(number), SIZE, image)

    def __iter__(self) -> Iterator[Sample]:
        return (self.sample(number) for number in range(len(self.greys)))


BOXES = {
    "0": [(np.array([0.0, 0.0, 4.0, 4.0]), 1.0), (np.array([4.0, 4.0, 8.0, 8.0]), 0.5)],
    "2": [(np.array([0.0, 0.0, 8.0, 8.0]), 1.0)],
}


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(Mean(), Means(), ViewPolicy(SIZE, "stretched-box"), batch_size=2)


def batches(predictor: Predictor) -> list[Batch]:
    assert isinstance(predictor.method, Mean)
    return predictor.method.batches


def test_each_image_has_one_prediction_in_order(predictor: Predictor) -> None:
    found = predictor.answer(Images([0, 51, 102, 153, 204]), Request())
    assert [one.sample_key for one in found] == ["0", "1", "2", "3", "4"]
    assert [one.instances[0].confidence for one in found] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert [len(batch) for batch in batches(predictor)] == [2, 2, 1]
    assert [one.item_key for one in found] == [""] * 5


def test_images_without_boxes_stay_empty_and_each_is_read_once(predictor: Predictor) -> None:
    images = Images([51, 102, 153, 204])
    found = predictor.answer(images, Request(boxes=BOXES))
    assert [len(one.instances) for one in found] == [2, 0, 1, 0]
    assert [one.box.tolist() for one in found[0].instances if one.box is not None] == [[0, 0, 4, 4], [4, 4, 8, 8]]
    assert images.read == ["0", "2"]
    assert not predictor.answer([], Request())


def test_images_are_answered_before_the_last_is_read(predictor: Predictor) -> None:
    images = Images([0] * 6)
    stream = predictor.stream(images, Request())
    sample, prediction = next(stream)
    assert (sample.key, prediction.sample_key) == ("0", "0")
    assert images.read == ["0", "1"]
    assert len(list(stream)) == 5


def test_maps_are_kept_on_demand(predictor: Predictor) -> None:
    assert not predictor.answer(Images([51]), Request(boxes=BOXES))[0].maps
    (kept,) = predictor.answer(Images([51]), Request(boxes=BOXES), keep_maps=True)
    assert list(kept.maps) == ["mean", "mean-1"]
    np.testing.assert_allclose(kept.maps["mean-1"].values, np.full((1, 2, 2), 0.2), rtol=1e-6)
    assert len(kept.instances) == 2


def test_predictions_are_smoothed_before_they_are_merged(predictor: Predictor) -> None:
    seen: list[list[int | None]] = []

    def smooth(items: Any, predictions: Any) -> list[Prediction]:
        seen.append([item.instance for item in items])
        return list(reversed(predictions))

    found = predictor.answer(Images([51, 102, 153]), Request(boxes=BOXES), smooth=smooth)
    assert seen == [[0, 1], [0]]
    assert [one.box.tolist() for one in found[0].instances if one.box is not None] == [[4, 4, 8, 8], [0, 0, 4, 4]]


def test_sampling_reaches_the_method_and_stays_out_of_it(predictor: Predictor) -> None:
    assert isinstance(predictor.method, Mean)
    sampling = Sampling(steps=3)
    predictor.answer(Images([0]), Request(sampling=sampling))
    predictor.answer(Images([0]), Request())
    assert predictor.method.samplings == [sampling, None]
    assert predictor.method.sampling is None


def test_images_are_compared_with_a_reference() -> None:
    predictor = Predictor(Mean(), Means(), ViewPolicy(SIZE), batch_size=2)
    images = Images([0, 51, 102])
    found = predictor.answer(images, Request(reference=images.sample(2)))
    assert [one.sample_key for one in found] == ["0", "1", "2"]
    assert [one.instances[0].confidence for one in found] == pytest.approx([0, 0.2, 0.4])
    assert all(len(batch.images) == 3 for batch in batches(predictor))


def test_items_are_answered_one_by_one(predictor: Predictor) -> None:
    items = Request(boxes=BOXES).items(Images([51]).sample(0), predictor.encoding)
    assert [one.item_key for one in predictor.answer_items(items)] == ["0|0", "0|1"]
    assert torch.equal(batches(predictor)[0].keys, torch.zeros(2, dtype=torch.int64))
