from functools import partial

import numpy as np
import pytest
import torch

from gensight.encodings.depth import DepthImage, DepthMap, check_metres
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model, pixel_centres
from gensight.samples import Depth, Item, Sample
from gensight.transforms import whole_frame
from tests.contracts.encoding import EncodingContract


def _given(value):
    return value


def item(values, kind="metric", key="a") -> Item:
    values = np.asarray(values, dtype=np.float32)
    blank = partial(_given, np.zeros((*values.shape, 3), np.uint8))
    return Item((Sample(key, values.shape, blank, depth=partial(_given, Depth(values, kind)), group="scene"),))


def sloped(rng, curve) -> np.ndarray:
    """Depth of 96 x 128 whose `curve` inverse is a plane between 0.2 and 0.8."""
    x, y = (pixel_centres((96, 128)) / [128, 96]).transpose(2, 0, 1)
    slope = rng.uniform(-0.3, 0.3, 2)
    return curve(0.5 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5))


def inner(prediction, item, view):
    """Predicted and true values of the pixels that lie more than half a cell inside of both image and view."""
    height, width = item.sample.size
    points = image_to_model(pixel_centres((height, width)), view)
    margin = 4.0
    seen = (points > margin).all(-1) & (points < np.array(view.model_size[::-1]) - margin).all(-1)
    shrink = int(np.ceil(margin / np.sqrt(abs(np.linalg.det(view.matrix[:2, :2]))))) + 1
    seen[:shrink], seen[-shrink:], seen[:, :shrink], seen[:, -shrink:] = False, False, False, False
    return prediction.depth.values[seen].astype(float), item.sample.depth().values[seen].astype(float)


def residual(found, truth) -> float:
    """The largest error of the best scale and shift, as a share of the truth's range."""
    design = np.stack([found, np.ones_like(found)], axis=1)
    fitted = design @ np.linalg.lstsq(design, truth, rcond=None)[0]
    return float(np.abs(fitted - truth).max() / (truth.max() - truth.min()))


class TestMetricMap(EncodingContract):
    def encoding(self):
        return DepthMap(stride=4, near=0.5, far=8.0)

    def item(self, rng):
        return item(sloped(rng, lambda share: 0.5 * 16**share))

    def assert_within_bound(self, prediction, item, view):
        assert prediction.depth.kind == "metric"
        found, truth = inner(prediction, item, view)
        turned = view.matrix[0, 1] != 0
        assert np.abs(np.log(found / truth)).max() < (0.02 if turned else 3e-3)


class TestAffineMap(EncodingContract):
    def encoding(self):
        return DepthMap(stride=4, kind="affine")

    def item(self, rng):
        return item(sloped(rng, lambda share: 1 / share))

    def assert_within_bound(self, prediction, item, view):
        assert prediction.depth.kind == "affine"
        found, truth = inner(prediction, item, view)
        assert residual(found, 1 / truth) < (0.02 if view.matrix[0, 1] != 0 else 2e-3)


class TestImage(TestAffineMap):
    def encoding(self):
        return DepthImage(stride=4)


def test_a_flat_map_by_hand():
    values = np.full((8, 8), 2.0)
    values[:4, :4] = np.nan  # the first cell unknown
    values[:2, 4:] = 0.1
    values[:4, 4] = np.nan  # a quarter of the second cell
    view = whole_frame((8, 8), (8, 8))
    targets = DepthMap(stride=4, near=0.1, far=10.0).encode(item(values), (view,))
    assert targets["depth_weight"][0].tolist() == [[0, 1], [1, 1]]
    share = np.log(20) / np.log(100)
    np.testing.assert_allclose(targets["depth"][0], [[share * 5 / 6, share / 2], [share, share]], atol=1e-6)
    targets = DepthImage(stride=4, channels=1).encode(item(values), (view,))
    np.testing.assert_allclose(targets["depth_image"][0], [[1 / 3, 1], [0, 0]], atol=1e-6)  # (10 + 0.5) / 2 is nearest


def test_zero_and_negative_depth_are_unknown_and_far_depth_is_clipped():
    values = np.full((8, 8), 30.0)
    values[:4], values[4:, :4] = 0, 5
    targets = DepthMap(stride=4, far=10.0).encode(item(values), (whole_frame((8, 8), (8, 8)),))
    assert targets["depth_weight"][0].tolist() == [[0, 0], [1, 1]]
    assert targets["depth"][0, 1, 1] == 1


def test_decoded_depth_is_unknown_outside_of_the_view():
    values = np.full((32, 64), 2.0)
    view = whole_frame((32, 64), (64, 64))
    found = DepthMap().decode(DepthMap().encode(item(values), (view,)), item(values), (view,))
    np.testing.assert_allclose(found.depth.values, 2.0, rtol=1e-5)  # up to the bars
    crop = whole_frame((32, 32), (64, 64))
    wide = item(np.full((32, 64), 2.0))
    crop = type(crop)((32, 64), (64, 64), crop.matrix)
    found = DepthMap().decode(DepthMap().encode(wide, (crop,)), wide, (crop,))
    assert np.isfinite(found.depth.values[:, :32]).all()
    assert np.isnan(found.depth.values[:, 33:]).all()


def test_three_channels_are_equal_and_their_mean_is_decoded():
    rng = np.random.default_rng(0)
    one, view = item(rng.uniform(1, 4, (32, 32))), whole_frame((32, 32), (32, 32))
    target = DepthImage(stride=4).encode(one, (view,))["depth_image"]
    assert target.shape == (3, 8, 8)
    assert torch.equal(target[0], target[1])
    assert torch.equal(target[0], target[2])
    assert (float(target.min()), float(target.max())) == (0.0, 1.0)
    tinted = target + torch.tensor([0.1, 0.0, -0.1])[:, None, None] * (target * (1 - target))
    plain = DepthImage(stride=4).decode({"depth_image": target}, one, (view,)).depth.values
    np.testing.assert_allclose(
        DepthImage(stride=4).decode({"depth_image": tinted}, one, (view,)).depth.values, plain, atol=1e-5
    )


def test_affine_truth_is_inverse_depth_and_no_target_of_metric_depth():
    inverse = np.linspace(0, 7, 64).reshape(8, 8)
    view = whole_frame((8, 8), (8, 8))
    target = DepthMap(stride=1, kind="affine").encode(item(inverse, "affine"), (view,))["depth"][0]
    np.testing.assert_allclose(target, inverse / 7, atol=1e-6)
    with pytest.raises(DataError) as refused:
        DepthMap(stride=1).encode(item(inverse, "affine", key="frame-7"), (view,))
    assert str(refused.value) == (
        "this depth has no unit, so it cannot supervise a metric depth map\n"
        "  where: frame-7\n"
        "  next:  set encoding.depth to affine, or label with metric depth"
    )


def test_one_depth_everywhere_is_the_middle():
    target = DepthMap(stride=4, kind="affine").encode(item(np.full((8, 8), 3.0)), (whole_frame((8, 8), (8, 8)),))
    assert target["depth"].unique().tolist() == [0.5]


@pytest.mark.parametrize("values", [np.full((8, 8), 2100.0), np.full((8, 8), 0.0021), np.full((8, 8), 120.0)])
def test_depth_of_another_unit_is_refused(values):
    with pytest.raises(DataError, match=r"is implausible between 0\.1 and 10 m: metres against"):
        DepthMap().encode(item(values), (whole_frame((8, 8), (8, 8)),))


def test_the_error_suggests_a_unit():
    with pytest.raises(DataError) as refused:
        check_metres(np.array([1500.0, 2100.0, 4000.0, 0.0, np.nan]), "frame-1", 0.5, 1000.0)
    assert str(refused.value) == (
        "a median depth of 2100 m is implausible between 0.5 and 1000 m: metres against millimetres? "
        "In millimetres it would be 2.1 m\n"
        "  where: frame-1\n"
        "  next:  set the data set's depth unit, or encoding.near and encoding.far if the scene really is so deep"
    )
    check_metres(np.array([80.5, 120.2, 90.0]), "outdoors", 0.5, 80.0)
    check_metres(np.array([np.nan, 0.0]), "nothing known", 0.5, 80.0)
    check_metres(np.array([2.0, 3.0, 4.0]), "whole metres", 0.1, 10.0)


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match="stride must be at least 1 model pixel per cell, got 0"):
        DepthMap(stride=0)
    with pytest.raises(ConfigError, match="must be above 0 and below the farthest, got 5 and 2 m"):
        DepthMap(near=5, far=2)
    with pytest.raises(ConfigError, match="has 1 or 3 channels, not 4"):
        DepthImage(channels=4)
    view = whole_frame((8, 8), (8, 8))
    with pytest.raises(ConfigError, match=r"`depth` of shape \(1, 2, 2\) was expected, got \(3, 2, 2\)"):
        DepthMap().decode({"depth": torch.zeros(3, 2, 2)}, item(np.ones((8, 8))), (view,))
