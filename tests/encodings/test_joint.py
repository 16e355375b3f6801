"""Several targets predicted together."""

import numpy as np
import pytest
import torch

from gensight.encodings.base import Encoding
from gensight.encodings.heatmap import Heatmap
from gensight.encodings.joint import Joint
from gensight.errors import ConfigError
from gensight.samples import Item, Prediction, View
from tests.contracts.encoding import EncodingContract
from tests.encodings.test_heatmap import TestDark as DarkContract

PARTS = {"fine": 4, "coarse": 8}


class TestJoint(EncodingContract):
    heatmaps = DarkContract()

    def encoding(self) -> Encoding:
        skeleton = self.heatmaps.encoding().skeleton
        return Joint({name: Heatmap(skeleton, sigma=1 / 10, stride=stride) for name, stride in PARTS.items()})

    def item(self, rng: np.random.Generator) -> Item:
        return self.heatmaps.item(rng)

    def assert_within_bound(self, prediction: Prediction, item: Item, view: View) -> None:
        self.heatmaps.assert_within_bound(prediction, item, view)

    # Its parts have grids of their own, so the announced shape is each part's.
    def test_targets_have_the_announced_shapes_and_range(self, rng, view):
        encoding = self.encoding()
        assert isinstance(encoding, Joint)
        targets = encoding.encode(self.item(rng), (view,))
        for name, part in encoding.parts.items():
            grid = part.grid_size(view.model_size)
            assert targets[f"{name}/heatmaps"].shape == (len(self.heatmaps.encoding().skeleton), *grid)
            assert targets[f"{name}/heatmaps_weight"].shape[1:] == (1, 1)


def test_parts_must_look_at_as_many_images() -> None:
    pair = DarkContract().encoding()
    pair.num_samples = 2
    with pytest.raises(ConfigError, match=r"different numbers of images \(one: 1, two: 2\)"):
        Joint({"one": DarkContract().encoding(), "two": pair})
    with pytest.raises(ConfigError, match="at least one part"):
        Joint({})


def test_each_part_decodes_its_own_outputs() -> None:
    rng = np.random.default_rng(0)
    joint, alone = TestJoint(), DarkContract()
    view = View((96, 128), (64, 96), np.diag([0.75, 2 / 3, 1.0]))
    item = joint.item(rng)
    outputs = joint.encoding().encode(item, (view,))
    spoiled = {name: torch.zeros_like(t) if name.startswith("coarse") else t for name, t in outputs.items()}
    one = joint.encoding().decode(spoiled, item, (view,)).instances
    keypoints = one[0].keypoints
    assert len(one) == 1
    assert keypoints is not None
    alone.assert_within_bound(Prediction(item.sample.key, item.sample.size, one), item, view)
