"""Contract tests of encodings: subclass `EncodingContract`, fill in three methods, and inherit the tests.

Encodings that relate images fill in two more: `answer` (their targets are the places where descriptors are compared,
not descriptors) and `built_items` (one sample alone has no items).
"""

import pickle

import numpy as np
import pytest
import torch

from gensight.encodings.base import DESCRIPTORS, Encoding
from gensight.samples import Item, Prediction, Sample, View
from gensight.transforms import Augmentation, augment_view, mirror_view, whole_frame


def blank_sample(**fields) -> Sample:
    return Sample("blank", (96, 128), lambda: np.zeros((96, 128, 3), np.uint8), group="pair", **fields)


def numbers(prediction: Prediction) -> list[np.ndarray]:
    """Whatever a prediction holds as numbers."""
    found = [score.values for score in prediction.maps.values()]
    found += [
        part for part in (prediction.similarities, prediction.depth and prediction.depth.values) if part is not None
    ]
    found += [] if prediction.matches is None else [prediction.matches.points]
    found += [list((prediction.label_scores or {}).values())]
    found += [one.keypoints.points for one in prediction.instances if one.keypoints is not None]
    found += [one.gaze.points for one in prediction.instances if one.gaze is not None]
    return [np.asarray(part) for part in found]


class EncodingContract:
    model_size = (64, 96)

    def encoding(self) -> Encoding:
        raise NotImplementedError

    def item(self, rng: np.random.Generator) -> Item:
        """An item of an image of 96 x 128 whose targets lie well inside."""
        raise NotImplementedError

    def assert_within_bound(self, prediction: Prediction, item: Item, view: View) -> None:
        """Compares a prediction with the truth, by the bound that the encoding states."""
        raise NotImplementedError

    def answer(self, item: Item, views: tuple[View, ...]) -> dict[str, torch.Tensor]:
        """What a perfect method gives for an item."""
        encoding = self.encoding()
        targets = encoding.encode(item, views)
        return {name: targets[name] for name in encoding.outputs}

    def built_items(self, item: Item) -> list[Item]:
        """The items of a data set with this item's samples."""
        return self.encoding().items(item.sample)

    def views(self, view: View) -> tuple[View, ...]:
        """One view per sample of an item."""
        return (view,) * self.encoding().num_samples

    @pytest.fixture
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(7)

    @pytest.fixture
    def view(self) -> View:
        return whole_frame((96, 128), self.model_size)

    def test_targets_have_the_announced_shapes_and_range(self, rng, view):
        encoding = self.encoding()
        targets = encoding.encode(self.item(rng), self.views(view))
        for name, spec in encoding.outputs.items():
            weight = targets[f"{name}_weight"]
            assert targets[name].dtype == weight.dtype == torch.float32
            assert set(weight.unique().tolist()) <= {0.0, 1.0}
            if spec.kind in DESCRIPTORS:  # points or regions: their own tests check the shape
                continue
            expected = (spec.channels,)
            if spec.kind != "vector":
                expected += encoding.grid_size(view.model_size)
                assert targets[name].min() >= 0
                assert targets[name].max() <= 1
            assert targets[name].shape == expected
            assert torch.broadcast_shapes(weight.shape, targets[name].shape) == targets[name].shape

    @pytest.mark.parametrize("mirrored", [False, True])
    @pytest.mark.parametrize("turn", [0.0, 20.0])
    def test_decode_inverts_encode_within_the_bound(self, rng, view, mirrored, turn):
        view = augment_view(view, Augmentation(rotation=turn, scale=(0.8, 0.8)), rng)
        view = mirror_view(view) if mirrored else view
        for _ in range(10):
            item = self.item(rng)
            prediction = self.encoding().decode(self.answer(item, self.views(view)), item, self.views(view))
            self.assert_within_bound(prediction, item, view)

    def test_mirror_turns_a_mirrored_answer_back(self, rng, view):
        encoding, item = self.encoding(), self.item(rng)
        upright = self.answer(item, self.views(view))
        turned = encoding.mirror(self.answer(item, self.views(mirror_view(view))))
        for name in encoding.outputs:
            torch.testing.assert_close(turned[name], upright[name], atol=1e-5, rtol=0)

    def test_mirror_takes_batches(self, rng, view):
        encoding = self.encoding()
        one = self.answer(self.item(rng), self.views(view))
        other = {name: t + 1 for name, t in one.items()}
        batch = encoding.mirror({name: torch.stack([one[name], other[name]]) for name in one})
        for number, single in enumerate((one, other)):
            for name, mirrored in encoding.mirror(single).items():
                torch.testing.assert_close(batch[name][number], mirrored)

    def test_encode_repeats_itself_and_keeps_its_input(self, rng, view):
        item, before = self.item(rng), view.matrix.copy()
        first = self.encoding().encode(item, self.views(view))
        second = self.encoding().encode(item, self.views(view))
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert np.array_equal(view.matrix, before)

    def test_decode_names_its_item_and_keeps_the_outputs(self, rng, view):
        encoding, item = self.encoding(), self.item(rng)
        outputs = self.answer(item, self.views(view))
        before = {name: t.clone() for name, t in outputs.items()}
        prediction = encoding.decode(outputs, item, self.views(view))
        assert (prediction.sample_key, prediction.item_key) == (item.sample.key, item.key)
        assert (prediction.size, prediction.group) == (item.sample.size, item.sample.group)
        assert all(torch.equal(outputs[name], before[name]) for name in outputs)

    def test_its_own_item_is_among_those_of_its_data_set(self, rng):
        item = self.item(rng)
        assert item.key in [one.key for one in self.built_items(item)]

    def test_a_sample_without_labels_has_no_items(self):
        assert self.encoding().items(blank_sample()) == []
        assert self.encoding().items(blank_sample(instances=())) == []

    def test_an_item_without_labels_has_no_weight(self, view):
        item = Item((blank_sample(),) * self.encoding().num_samples)
        targets = self.encoding().encode(item, self.views(view))
        assert all(float(targets[f"{name}_weight"].sum()) == 0 for name in self.encoding().outputs)

    def test_low_precision_outputs_are_decoded(self, rng, view):
        encoding, item = self.encoding(), self.item(rng)
        low = {name: t.to(torch.bfloat16) for name, t in self.answer(item, self.views(view)).items()}
        found = encoding.decode(low, item, self.views(view))
        same = encoding.decode({name: t.float() for name, t in low.items()}, item, self.views(view))
        assert len(numbers(found)) == len(numbers(same))
        for ours, theirs in zip(numbers(found), numbers(same), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_workers_can_have_a_copy(self, rng, view):
        item = self.item(rng)
        copy = pickle.loads(pickle.dumps(self.encoding()))
        for name, target in self.encoding().encode(item, self.views(view)).items():
            assert torch.equal(copy.encode(item, self.views(view))[name], target)
