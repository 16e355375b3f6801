import time

import numpy as np
import pytest
import torch

from gensight.encodings.heatmap import Heatmap, fit_calibration
from gensight.encodings.peaks import peak_finder
from gensight.errors import ConfigError
from gensight.geometry import image_to_model, model_to_image
from gensight.samples import Instance, Item, Keypoints, Sample, Visibility
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18, Skeleton
from gensight.transforms import Augmentation, around_box, augment_view, mirror_view, stretched_box, whole_frame
from tests.contracts.encoding import EncodingContract

PAIR = Skeleton("pair", ("nose", "left_ear", "right_ear"))


def keypoints(points, visibility=None, skeleton=PAIR) -> Keypoints:
    points = np.asarray(points, dtype=np.float64)
    visibility = np.full(len(points), Visibility.VISIBLE) if visibility is None else np.asarray(visibility)
    return Keypoints(skeleton, points, visibility.astype(np.int8), np.ones(len(points), np.float32))


def item(points, visibility=None, skeleton=PAIR, size=(96, 128), **fields) -> Item:
    instance = Instance("mouse", keypoints=keypoints(points, visibility, skeleton), **fields)
    sample = Sample("a", size, lambda: np.zeros((*size, 3), np.uint8), instances=(instance,), group="video")
    return Item((sample,), 0)


def round_trip(heatmap: Heatmap, one: Item, view) -> Keypoints:
    found = heatmap.decode(heatmap.encode(one, (view,)), one, (view,)).instances[0].keypoints
    assert found is not None
    return found


class HeatmapContract(EncodingContract):
    decoder = "dark"

    def encoding(self):
        return Heatmap(PAIR, decoder=self.decoder)

    def item(self, rng):
        return item(rng.uniform([45, 30], [85, 66], (3, 2)))

    def assert_within_bound(self, prediction, item, view):
        error = np.abs(
            image_to_model(prediction.instances[0].keypoints.points, view)
            - image_to_model(item.subject.keypoints.points, view)
        )
        assert error.max() <= (2.0001 if self.decoder == "argmax" else 0.01)


class TestDark(HeatmapContract):
    decoder = "dark"


class TestSoftArgmax(HeatmapContract):
    decoder = "soft-argmax"


class TestArgmax(HeatmapContract):
    decoder = "argmax"


SHAPES = [((64, 64), 1), ((64, 64), 4), ((128, 128), 16), ((96, 160), 8), ((320, 240), 4), ((64, 512), 8)]


@pytest.mark.parametrize("decoder", ["dark", "soft-argmax"])
@pytest.mark.parametrize(("size", "stride"), SHAPES)
def test_sub_pixel_decoders_are_exact_up_to_corners_and_borders(decoder, size, stride):
    """Images six times smaller or larger than the model, so that nothing hangs on the scale of the view."""
    rng = np.random.default_rng(0)
    height, width = size
    places = rng.uniform(0, [width, height], (18, 2))
    places[:4] = [[0, 0], [width, height], [width, 0], [0, height]]
    places[4:8, 0] = 0.01
    places[8:12, 1] = height - 0.3
    heatmap = Heatmap(OPENPOSE_18, stride=stride, decoder=decoder)
    for factor in (1 / 6, 1, 6):
        # Rounding to and fro must not push corner points out of the frame.
        view = whole_frame((round(height * factor), round(width * factor)), size)
        inner = np.clip(places, 1e-6, np.array([width, height]) - 1e-6)
        if not np.isclose(view.matrix[0, 0], 1 / factor, rtol=1e-9):
            inner = np.clip(inner, 4, np.array([width, height]) - 4)
        one = item(model_to_image(inner, view), skeleton=OPENPOSE_18, size=view.image_size)
        found = round_trip(heatmap, one, view)
        assert np.abs(image_to_model(found.points, view) - inner).max() <= 0.01
        assert (found.visibility == Visibility.VISIBLE).all()


@pytest.mark.parametrize("sigma", [1 / 32, 1 / 16, 1 / 8, 1 / 4])
@pytest.mark.parametrize("decoder", ["dark", "soft-argmax"])
def test_sub_pixel_decoders_are_exact_for_any_sigma(decoder, sigma):
    rng = np.random.default_rng(1)
    view = whole_frame((128, 128), (128, 128))
    one = item(rng.uniform(0, 128, (18, 2)), skeleton=OPENPOSE_18, size=(128, 128))
    found = round_trip(Heatmap(OPENPOSE_18, sigma=sigma, decoder=decoder), one, view)
    assert np.abs(found.points - one.subject.keypoints.points).max() <= 0.05


def test_argmax_is_right_to_half_a_cell_and_unbiased():
    rng = np.random.default_rng(2)
    view = whole_frame((64, 96), (64, 96))
    heatmap = Heatmap(OPENPOSE_18, stride=8, decoder="argmax")
    errors = []
    for _ in range(200):
        one = item(rng.uniform(8, [88, 56], (18, 2)), skeleton=OPENPOSE_18, size=(64, 96))
        errors.append(round_trip(heatmap, one, view).points - one.subject.keypoints.points)
    errors = np.concatenate(errors)
    assert np.abs(errors).max() <= 4 + 1e-4
    # The standard error of a uniform error in [-4, 4] over 3,600 draws is 0.04.
    assert np.abs(errors.mean(0)).max() < 0.16


@pytest.mark.parametrize("decoder", ["dark", "soft-argmax"])
def test_sub_pixel_decoders_withstand_noise_better_than_argmax(decoder):
    rng = np.random.default_rng(3)
    view = whole_frame((256, 256), (256, 256))
    errors = {"argmax": 0.0, decoder: 0.0}
    for _ in range(10):
        one = item(rng.uniform(40, 216, (18, 2)), skeleton=OPENPOSE_18, size=(256, 256))
        maps = Heatmap(OPENPOSE_18).encode(one, (view,))["heatmaps"]
        noisy = {"heatmaps": maps + 0.01 * torch.from_numpy(rng.standard_normal(maps.shape).astype(np.float32))}
        for name in errors:
            found = Heatmap(OPENPOSE_18, decoder=name).decode(noisy, one, (view,)).instances[0].keypoints
            errors[name] += float(np.linalg.norm(found.points - one.subject.keypoints.points, axis=1).mean())
    assert errors[decoder] < 0.6 * errors["argmax"]


def test_the_peak_is_one_at_a_cell_centre_and_sigma_is_a_share_of_the_grid():
    heatmap = Heatmap(PAIR, sigma=1 / 8, stride=4)
    view = whole_frame((64, 64), (64, 64))
    target = heatmap.encode(item([[10.0, 22.0]] * 3, size=(64, 64)), (view,))["heatmaps"][0]
    assert float(target[5, 2]) == 1.0
    assert float(target[5, 4]) == pytest.approx(np.exp(-0.5), abs=1e-6)  # sigma: 16 / 8 = 2 cells


def test_channels_stand_for_the_visible_side_in_a_mirrored_view():
    view = mirror_view(whole_frame((64, 64), (64, 64)))
    one = item([[32, 10], [10, 30], [50, 30]], size=(64, 64))
    maps = Heatmap(PAIR).encode(one, (view,))["heatmaps"]
    # The right ear at x = 50 appears at 64 - 50 = 14, where it looks like a left ear: channel 1.
    assert divmod(int(maps[1].argmax()), 16) == (7, 3)
    assert divmod(int(maps[2].argmax()), 16) == (7, 13)


def test_weights_and_empty_maps():
    nan = np.nan
    names = tuple("abcdefg")
    visibility = [3, 2, 1, 0, 3, 3, 3]
    points = [[20, 20], [30, 30], [nan, nan], [nan, nan], [-0.5, 20], [64.1, 20], [nan, nan]]
    one = item(points, visibility, Skeleton("letters", names), size=(64, 64))
    view = whole_frame((64, 64), (64, 64))
    targets = Heatmap(Skeleton("letters", names)).encode(one, (view,))
    shown = targets["heatmaps"].amax((1, 2)) > 0
    assert shown.tolist() == [True, True, False, False, False, False, False]
    # A point outside of the frame is supervised as empty; one without a place (the last) is not supervised at all.
    assert targets["heatmaps_weight"][:, 0, 0].tolist() == [1, 1, 1, 0, 1, 1, 0]
    ignoring = Heatmap(Skeleton("letters", names), occluded="ignore").encode(one, (view,))
    assert ignoring["heatmaps_weight"][:, 0, 0].tolist() == [1, 0, 1, 0, 1, 1, 0]


def test_items_leave_out_crowds_unlabelled_and_foreign_subjects():
    nowhere = np.full((3, 2), np.nan)
    points = np.ones((3, 2))
    instances = (
        Instance("mouse", keypoints=keypoints(points)),
        Instance("mouse", keypoints=keypoints(points), is_crowd=True),
        Instance("mouse", keypoints=keypoints(nowhere, np.zeros(3))),
        Instance("mouse", keypoints=keypoints(nowhere, np.ones(3))),
        Instance("mouse"),
        Instance("cat", keypoints=keypoints(np.ones((17, 2)), skeleton=ANIMAL_17)),
        Instance("person", keypoints=keypoints(np.ones((17, 2)), skeleton=COCO_17)),
    )
    sample = Sample("a", (8, 8), lambda: np.zeros((8, 8, 3), np.uint8), instances=instances)
    assert [one.instance for one in Heatmap(PAIR).items(sample)] == [0, 6]
    assert [one.instance for one in Heatmap(OPENPOSE_18).items(sample)] == [6]


def test_the_neck_of_coco_people_is_encoded():
    rng = np.random.default_rng(5)
    one = item(rng.uniform(8, 56, (17, 2)), skeleton=COCO_17, size=(64, 64))
    found = round_trip(Heatmap(OPENPOSE_18), one, whole_frame((64, 64), (64, 64)))
    points = one.subject.keypoints.points
    np.testing.assert_allclose(found.points[1], (points[5] + points[6]) / 2, atol=0.01)
    np.testing.assert_allclose(found.points[4], points[10], atol=0.01)


def test_the_prediction_keeps_its_subject():
    box = np.array([1.0, 2.0, 60.0, 50.0])
    one = item([[20, 20], [40, 20], [20, 30]], [3, 3, 1], box=box)
    view = mirror_view(around_box((96, 128), box, (64, 64)))
    heatmap = Heatmap(PAIR)
    outputs = heatmap.encode(one, (view,))
    prediction = heatmap.decode(outputs, one, (view,))
    instance = prediction.instances[0]
    assert instance.category == "mouse"
    assert instance.box is box
    assert instance.keypoints.visibility.tolist() == [3, 3, 1]
    assert np.isfinite(instance.keypoints.points).all()
    assert instance.confidence == pytest.approx(float(instance.keypoints.confidence.mean()))


def test_an_image_without_a_subject_is_decoded_too():
    one = Item(item([[20, 20]] * 3).samples)
    view = whole_frame((96, 128), (48, 64))
    prediction = Heatmap(PAIR).decode({"heatmaps": torch.zeros(3, 12, 16)}, one, (view,))
    assert prediction.instances[0].box is None
    assert prediction.instances[0].keypoints.visibility.tolist() == [1, 1, 1]


@pytest.mark.parametrize("decoder", ["dark", "soft-argmax", "argmax"])
@pytest.mark.parametrize("value", [0.0, -1.0, 0.5, 1e-30, 1e30])
def test_flat_maps_give_finite_points_inside(decoder, value):
    one, view = item([[20, 20]] * 3), whole_frame((96, 128), (48, 64))
    prediction = Heatmap(PAIR, decoder=decoder).decode({"heatmaps": torch.full((3, 12, 16), value)}, one, (view,))
    points = prediction.instances[0].keypoints.points
    assert np.isfinite(points).all()
    assert (points >= 0).all()
    assert (points <= [128, 96]).all()


def test_a_peak_of_a_tenth_is_the_threshold_by_default():
    one, view = item([[20, 20]] * 3), whole_frame((96, 128), (48, 64))
    maps = torch.zeros(3, 12, 16)
    maps[:, 5, 5] = torch.tensor([0.099, 0.1001, 1.0])
    found = Heatmap(PAIR).decode({"heatmaps": maps}, one, (view,)).instances[0].keypoints
    assert found.visibility.tolist() == [1, 3, 3]
    assert found.confidence[1] == pytest.approx(0.5, abs=0.01)
    assert Heatmap(PAIR).peaks({"heatmaps": maps}).tolist() == pytest.approx([0.099, 0.1001, 1.0])


def test_calibration_recovers_the_probabilities_that_made_the_data():
    rng = np.random.default_rng(0)
    peaks = rng.uniform(0, 1, 20_000)
    correct = rng.random(20_000) < 1 / (1 + np.exp(-(8 * peaks - 3)))
    slope, offset = fit_calibration(peaks, correct)
    assert slope == pytest.approx(8, rel=0.05)
    assert offset == pytest.approx(-3, rel=0.05)


def test_calibration_of_perfectly_separable_or_one_sided_data_stays_finite():
    for correct in (np.array([0, 0, 1, 1]), np.ones(4), np.zeros(4)):
        slope, offset = fit_calibration(np.array([0.1, 0.2, 0.8, 0.9]), correct.astype(bool))
        assert np.isfinite([slope, offset]).all()


def test_a_batch_is_decoded_as_its_items_are():
    """Each map's peak is found from that map alone."""
    rng = np.random.default_rng(9)
    view = whole_frame((64, 64), (64, 64))
    one = item(rng.uniform(0, 64, (18, 2)), skeleton=OPENPOSE_18, size=(64, 64))
    maps = Heatmap(OPENPOSE_18).encode(one, (view,))["heatmaps"] + 0.05 * torch.rand(18, 16, 16)
    for decoder in ("dark", "soft-argmax", "argmax"):
        together = Heatmap(OPENPOSE_18, decoder=decoder).decode({"heatmaps": maps}, one, (view,))
        others = maps.clone()
        others[1:] = torch.rand(17, 16, 16)
        alone = Heatmap(OPENPOSE_18, decoder=decoder).decode({"heatmaps": others}, one, (view,))
        np.testing.assert_allclose(
            together.instances[0].keypoints.points[0], alone.instances[0].keypoints.points[0], atol=1e-4
        )


def test_round_trip_through_a_stretched_and_turned_mirrored_view():
    rng = np.random.default_rng(4)
    view = stretched_box((480, 640), np.array([100.0, 50.0, 220.0, 410.0]), (128, 128))
    view = mirror_view(augment_view(view, Augmentation(rotation=40.0, scale=(0.7, 0.7), translation=0.05), rng))
    places = rng.uniform(4, 124, (18, 2))
    points = model_to_image(places, view)
    found = round_trip(Heatmap(OPENPOSE_18), item(points, skeleton=OPENPOSE_18, size=(480, 640)), view)
    assert np.abs(image_to_model(found.points, view) - places).max() <= 0.01


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match="sigma must be above 0, got 0"):
        Heatmap(PAIR, sigma=0.0)
    with pytest.raises(ConfigError, match="at least 1 model pixel per cell, got 0"):
        Heatmap(PAIR, stride=0)
    with pytest.raises(ConfigError) as unknown:
        peak_finder("dork")
    assert str(unknown.value) == "no heatmap decoder is called 'dork'\n  valid: argmax, dark, soft-argmax"
    with pytest.raises(ConfigError) as odd:
        Heatmap(PAIR, stride=8).grid_size((60, 96))
    assert str(odd.value) == (
        "a view of 60 x 96 is not a whole number of heatmap cells of 8\n"
        "  next:  use a view of 64 x 96, or another stride"
    )
    view = whole_frame((64, 64), (64, 64))
    with pytest.raises(ConfigError, match=r"heatmaps of shape \(3, 16, 16\) were expected, got \(2, 16, 16\)"):
        Heatmap(PAIR).decode({"heatmaps": torch.zeros(2, 16, 16)}, item([[1, 1]] * 3, size=(64, 64)), (view,))


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["dark", "soft-argmax", "argmax"])
def test_decoding_18_maps_takes_under_2_ms(decoder):
    view = whole_frame((256, 256), (256, 256))
    one = item(np.random.default_rng(0).uniform(0, 256, (18, 2)), skeleton=OPENPOSE_18, size=(256, 256))
    heatmap = Heatmap(OPENPOSE_18, decoder=decoder)
    outputs = heatmap.encode(one, (view,))
    times = []
    for _ in range(30):
        start = time.perf_counter()
        heatmap.decode(outputs, one, (view,))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.002
