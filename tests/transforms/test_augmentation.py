import time

import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.geometry import image_to_model
from gensight.transforms import Augmentation, augment_pixels, augment_view, whole_frame

STRONG = Augmentation(
    rotation=30.0, scale=(0.7, 1.4), translation=0.1, flip=0.5, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1,
    blur=2.0, noise=0.1,
)  # fmt: skip
PARTS = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.8, "hue": 0.3, "blur": 3.0, "noise": 0.2}


@pytest.fixture
def image():
    y, x = np.mgrid[0:64, 0:96]
    return np.stack([2 * x, 3 * y, 255 - x - y], axis=-1).astype(np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_no_augmentation_changes_nothing(image):
    view = whole_frame((100, 200), (64, 96))
    assert np.array_equal(augment_view(view, Augmentation(), rng()).matrix, view.matrix)
    result = augment_pixels(image, Augmentation(), rng())
    assert np.array_equal(result, image)
    assert result is not image


def test_views_stay_within_the_requested_ranges():
    view = whole_frame((64, 96), (64, 96))
    centre = np.array([[48.0, 32.0]])
    scales, turns, shifts, flips = [], [], [], []
    for seed in range(300):
        augmented = augment_view(view, STRONG, rng(seed))
        linear = augmented.matrix[:2, :2] @ np.diag([-1.0 if augmented.mirrored else 1.0, 1.0])
        assert (np.linalg.det(augmented.matrix[:2, :2]) < 0) == augmented.mirrored
        scales.append(np.sqrt(np.linalg.det(linear)))
        np.testing.assert_allclose(linear @ linear.T, scales[-1] ** 2 * np.eye(2), atol=1e-9)  # no shear
        turns.append(np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0])))
        shifts.append((image_to_model(centre, augmented) - centre)[0] / [96, 64])
        flips.append(augmented.mirrored)
    assert 0.7 <= min(scales) < 0.75
    assert 1.3 < max(scales) <= 1.4
    assert np.exp(np.mean(np.log(scales))) == pytest.approx(np.sqrt(0.7 * 1.4), rel=0.05)
    assert 28 < np.abs(turns).max() <= 30
    assert 0.09 < np.abs(shifts).max() <= 0.1 + 1e-9
    assert 0.4 < np.mean(flips) < 0.6


def test_rotation_and_scale_keep_the_centre():
    view = whole_frame((64, 96), (64, 96))
    augmented = augment_view(view, Augmentation(rotation=90.0, scale=(0.5, 2.0)), rng())
    np.testing.assert_allclose(image_to_model(np.array([48.0, 32.0]), augmented), [48, 32], atol=1e-9)


def test_flipping_twice_is_no_mirror():
    view = whole_frame((64, 96), (64, 96))
    once = augment_view(view, Augmentation(flip=1.0), rng())
    assert once.mirrored
    twice = augment_view(once, Augmentation(flip=1.0), rng())
    assert not twice.mirrored
    np.testing.assert_allclose(twice.matrix, view.matrix, atol=1e-9)


def test_the_same_generator_gives_the_same_result(image):
    view = whole_frame((64, 96), (64, 96))
    assert np.array_equal(augment_view(view, STRONG, rng(3)).matrix, augment_view(view, STRONG, rng(3)).matrix)
    assert not np.array_equal(augment_view(view, STRONG, rng(3)).matrix, augment_view(view, STRONG, rng(4)).matrix)
    assert np.array_equal(augment_pixels(image, STRONG, rng(3)), augment_pixels(image, STRONG, rng(3)))


@pytest.mark.parametrize("part", PARTS)
def test_each_part_changes_pixels_and_leaves_the_input_alone(image, part):
    before = image.copy()
    result = augment_pixels(image, Augmentation(**{part: PARTS[part]}), rng(1))
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert not np.array_equal(result, image)
    assert np.array_equal(image, before)


def test_brightness_scales_and_contrast_keeps_the_mean():
    flat = np.full((32, 32, 3), 100, np.uint8)
    values = {int(augment_pixels(flat, Augmentation(brightness=0.5), rng(s)).mean()) for s in range(200)}
    assert 50 <= min(values) < 56
    assert 144 < max(values) <= 150
    assert (augment_pixels(flat, Augmentation(contrast=0.5), rng(1)) == 100).all()


def test_saturation_and_hue_keep_the_luma():
    image = rng().integers(60, 190, (16, 16, 3)).astype(np.uint8)
    luma = np.array([0.299, 0.587, 0.114])
    for seed in range(10):
        result = augment_pixels(image, Augmentation(saturation=0.3, hue=0.05), rng(seed))
        free = ((result > 0) & (result < 255)).all(-1)  # clipping changes the luma
        assert np.abs(result @ luma - image @ luma)[free].max() < 1.5
    grey = np.full((4, 4, 3), 77, np.uint8)
    assert np.abs(augment_pixels(grey, Augmentation(saturation=1.0, hue=0.5), rng()).astype(int) - 77).max() <= 1


def test_hue_of_half_a_circle_reaches_the_opposite_colour():
    red = np.full((4, 4, 3), (200, 100, 100), np.uint8)
    turned = [augment_pixels(red, Augmentation(hue=0.5), rng(s))[0, 0].astype(int) for s in range(200)]
    assert min(colour[0] - colour[1:].mean() for colour in turned) < -60


def test_noise_has_the_requested_spread_and_no_mean():
    flat = np.full((128, 128, 3), 128, np.uint8)
    spreads = []
    for seed in range(30):
        noise = augment_pixels(flat, Augmentation(noise=0.1), rng(seed)).astype(float) - 128
        assert abs(noise.mean()) < 0.5
        spreads.append(noise.std())
    assert max(spreads) <= 0.1 * 255 * 1.02
    assert max(spreads) > 0.08 * 255


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 2)])
def test_tiny_pictures_survive(size):
    result = augment_pixels(np.full((*size, 3), 9, np.uint8), STRONG, rng())
    assert result.shape == (*size, 3)


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match=r"augmentation flip must be between 0 and 1, got 2.0"):
        Augmentation(flip=2.0)
    with pytest.raises(ConfigError, match=r"augmentation rotation must be at least 0, got -5.0"):
        Augmentation(rotation=-5.0)
    with pytest.raises(ConfigError, match=r"augmentation scale must be two rising numbers above 0, got \(1.2, 0.8\)"):
        Augmentation(scale=(1.2, 0.8))


@pytest.mark.slow
@pytest.mark.parametrize(("size", "limit"), [((128, 128), 0.001), ((240, 320), 0.004)])
def test_augmenting_pixels_is_fast(size, limit):
    image = rng().integers(0, 256, (*size, 3), dtype=np.uint8)
    times = []
    for seed in range(40):
        generator = rng(seed)
        start = time.perf_counter()
        augment_pixels(image, STRONG, generator)
        times.append(time.perf_counter() - start)
    assert sorted(times)[10] < limit
