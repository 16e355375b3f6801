import numpy as np
import pytest

from gensight.drawing import draw_keypoints
from gensight.drawing.palette import SIDES
from gensight.errors import DataError
from gensight.samples import Array, Keypoints, Visibility
from gensight.skeletons import COCO_17, Skeleton

EARS = Skeleton("ears", ("left_ear", "right_ear"), ((0, 1),))
GROUND = np.full((400, 400, 3), 90, dtype=np.uint8)


def ears(
    left: tuple[float, float], right: tuple[float, float], confidence: float = 1.0, visibility: int = 3
) -> Keypoints:
    return Keypoints(
        EARS, np.array([left, right]), np.full(2, visibility, np.int8), np.full(2, confidence, dtype=np.float32)
    )


def changed(picture: Array) -> Array:
    return (picture != GROUND).any(-1)


def test_a_dot_has_its_sides_colour_at_the_keypoint() -> None:
    picture = draw_keypoints(GROUND, ears((50.5, 60.5), (150.5, 60.5)))
    assert tuple(picture[60, 50]) == SIDES["left"]
    assert tuple(picture[60, 150]) == SIDES["right"]
    assert changed(picture)[60, 100]  # the limb between them


def test_a_dot_is_centred_on_its_point_to_a_fraction_of_a_pixel() -> None:
    lone = Skeleton("lone", ("tip",))
    for x, y in [(80.5, 90.5), (80.75, 90.25), (81.0, 90.0)]:
        points = Keypoints(lone, np.array([[x, y]]), np.full(1, 3, np.int8), np.ones(1, np.float32))
        weight = np.abs(draw_keypoints(GROUND, points).astype(float) - 90).sum(-1)
        ys, xs = np.mgrid[0:400, 0:400] + 0.5
        assert (xs * weight).sum() / weight.sum() == pytest.approx(x, abs=0.12)
        assert (ys * weight).sum() / weight.sum() == pytest.approx(y, abs=0.12)


def test_confidence_is_seen_and_the_threshold_hides() -> None:
    sure, unsure = (draw_keypoints(GROUND, ears((50, 60), (150, 60), c)).astype(int) for c in (1.0, 0.2))
    assert np.abs(sure - 90).sum() > 1.5 * np.abs(unsure - 90).sum() > 0
    hidden = draw_keypoints(GROUND, ears((50, 60), (150, 60), 0.2), threshold=0.5)
    np.testing.assert_array_equal(hidden, GROUND)


def test_occluded_looks_different_from_visible_and_unknown_is_not_drawn() -> None:
    pictures = {v: draw_keypoints(GROUND, ears((50, 60), (150, 60), visibility=v)) for v in Visibility}
    assert (pictures[Visibility.OCCLUDED] != pictures[Visibility.VISIBLE]).any()
    np.testing.assert_array_equal(pictures[Visibility.ABSENT], GROUND)
    np.testing.assert_array_equal(pictures[Visibility.UNLABELLED], GROUND)


def test_truth_is_a_ring_and_the_error_a_line() -> None:
    predicted, true = ears((50.5, 60.5), (150.5, 60.5)), ears((50.5, 100.5), (150.5, 60.5))
    picture = draw_keypoints(GROUND, predicted, 0.0, true)
    at_truth = picture[90:112, 40:62]
    assert (np.abs(at_truth.astype(int) - SIDES["left"]).max(-1) < 50).any()  # the ring's thin stroke
    assert not changed(picture)[103, 50]  # its inside shows the image
    assert picture[80, 50].min() > 200  # the white line half-way
    alone = draw_keypoints(GROUND, predicted, np.inf, true)
    assert changed(alone).any()
    assert not changed(alone)[80, 50]


@pytest.mark.parametrize("far", [(np.nan, np.nan), (np.inf, 0.0), (1e9, 1e9), (-400.0, 60.0)])
def test_points_that_cannot_be_seen_leave_the_rest(far: tuple[float, float]) -> None:
    picture = draw_keypoints(GROUND, ears(far, (150.5, 60.5)), 0.0, ears(far, (150.5, 60.5)))
    assert changed(picture)[60, 150]
    if far[0] != -400:  # that one is still joined by its limb
        assert not changed(picture)[:, :100].any()


def test_marks_grow_with_the_image() -> None:
    shares = []
    for side in (300, 600, 1200):
        ground = np.full((side, side, 3), 90, dtype=np.uint8)
        picture = draw_keypoints(ground, ears((side / 4, side / 2), (3 * side / 4, side / 2)))
        shares.append(np.abs(picture.astype(float) - ground).mean())
    assert shares == pytest.approx([shares[1]] * 3, rel=0.3)  # anti-aliasing blurs small ones


def test_another_skeleton_is_refused() -> None:
    other = Keypoints(COCO_17, np.zeros((17, 2)), np.full(17, 3, np.int8), np.ones(17, np.float32))
    with pytest.raises(DataError, match="2 keypoints of ears cannot be compared with 17 of coco-17"):
        draw_keypoints(GROUND, ears((1, 1), (2, 2)), 0.0, other)
