from functools import partial

import numpy as np
import pytest
import torch

from gensight.encodings.edge_image import EdgeImage
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model, scaling
from gensight.samples import Item, Sample, View
from gensight.transforms import whole_frame
from tests.contracts.encoding import EncodingContract


def _given(array):
    return array


def item(edges, key="a") -> Item:
    size = edges.shape
    blank = partial(_given, np.zeros((*size, 3), np.uint8))
    return Item((Sample(key, size, blank, edges=partial(_given, edges), group="scene"),))


def centre(maps, view) -> np.ndarray:
    """The centre of gravity of a map, in model pixels."""
    y, x = np.mgrid[0 : maps.shape[0], 0 : maps.shape[1]] + 0.5
    cell = view.model_size[0] / maps.shape[0]
    return cell * np.array([(maps * x).sum(), (maps * y).sum()]) / maps.sum()


class TestEdgeImage(EncodingContract):
    def encoding(self):
        return EdgeImage()

    def item(self, rng):
        edges = np.zeros((96, 128), np.float32)
        row, column = rng.integers(40, 50), rng.integers(50, 70)
        edges[row, column : column + 8] = 1  # a short line, inside also when turned
        return item(edges)

    def assert_within_bound(self, prediction, item, view):
        found = centre(prediction.maps["edges"].values[0], view)
        rows, columns = np.nonzero(item.sample.edges())
        truth = image_to_model(np.array([columns.mean() + 0.5, rows.mean() + 0.5]), view)
        assert np.abs(found - truth).max() < 2.01  # half a cell


def test_one_line_fills_half_a_cell_and_its_place_between_cells_is_kept():
    edges = np.zeros((32, 32), np.float32)
    edges[:, 9] = 1  # the second pixel of cells 8 to 11
    edges[:, 19:21] = 0.5  # a line on the border of two cells
    view = whole_frame((32, 32), (32, 32))
    target = EdgeImage(stride=4).encode(item(edges), (view,))["edges"][0]
    np.testing.assert_allclose(target[:, [1, 2, 4, 5]], [[0, 0.5, 0.25, 0.25]] * 8, atol=1e-6)
    assert EdgeImage(stride=4).encode(item(np.ones((32, 32), np.float32)), (view,))["edges"].min() == 1


def test_an_enlarged_image_keeps_its_values():
    edges = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    view = whole_frame((8, 8), (32, 32))
    target = EdgeImage(stride=4).encode(item(edges), (view,))["edges"][0]
    np.testing.assert_allclose(target, edges, atol=1e-6)


def test_what_lies_beside_the_image_has_no_weight():
    view = whole_frame((16, 32), (32, 32))  # bars of 8 above and below
    targets = EdgeImage(stride=4).encode(item(np.ones((16, 32), np.float32)), (view,))
    assert targets["edges_weight"][0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    shifted = View((16, 32), (32, 32), scaling(1, 1))
    targets = EdgeImage(stride=4).encode(item(np.ones((16, 32), np.float32)), (shifted,))
    assert targets["edges_weight"][0, :, 0].tolist() == [1] * 4 + [0] * 4


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="stride must be at least 1 model pixel per cell, got 0"):
        EdgeImage(stride=0)
    with pytest.raises(ConfigError, match="a view of 30 x 32 is not a whole number of edge image cells of 4"):
        EdgeImage().grid_size((30, 32))
    view = whole_frame((32, 32), (32, 32))
    with pytest.raises(ConfigError, match=r"`edges` of shape \(1, 8, 8\) was expected, got \(1, 4, 4\)"):
        EdgeImage().decode({"edges": torch.zeros(1, 4, 4)}, item(np.zeros((32, 32), np.float32)), (view,))
    one = item(np.zeros((32, 32), np.float32))
    wrong = Item((Sample("b", (32, 40), one.sample.image, edges=one.sample.edges),))
    with pytest.raises(DataError) as refused:
        EdgeImage().encode(wrong, (whole_frame((32, 40), (32, 40)),))
    assert str(refused.value) == "an edge map of (32, 32) does not fit an image of (32, 40)\n  where: b"
