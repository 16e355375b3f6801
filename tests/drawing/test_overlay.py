from dataclasses import replace

import numpy as np

from gensight.drawing import closeup, draw_keypoints, overlay
from gensight.drawing.closeup import subject_box
from gensight.drawing.overlay import match_keypoints
from gensight.samples import Depth, Gaze, Instance, Keypoints, Prediction, Sample
from gensight.skeletons import COCO_17, Skeleton

LINE = Skeleton("line", ("head", "tail"), ((0, 1),))
IMAGE = np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)


def line(*points: tuple[float, float], visibility: int = 3) -> Keypoints:
    return Keypoints(LINE, np.array(points), np.full(2, visibility, np.int8), np.ones(2, np.float32))


def sample(*keypoints: Keypoints) -> Sample:
    return Sample("a", (80, 120), lambda: IMAGE, tuple(Instance(keypoints=known) for known in keypoints))


def test_subjects_are_matched_to_the_nearest_truth_once() -> None:
    near, far, missing = line((10, 10), (20, 10)), line((90, 60), (99, 60)), line((10, 10), (20, 10), visibility=1)
    assert match_keypoints([far, near], [near, far]) == [1, 0]
    assert match_keypoints([near, near], [near]) == [0, None]
    assert match_keypoints([missing], [near]) == [None]
    other = Keypoints(COCO_17, np.zeros((17, 2)), np.full(17, 3, np.int8), np.ones(17, np.float32))
    assert match_keypoints([other], [near]) == [None]


def test_overlay_of_one_subject_is_its_keypoints_with_the_truth() -> None:
    predicted, true = line((30, 30), (60, 50)), line((33, 30), (60, 54))
    prediction = Prediction("a", (80, 120), (Instance(keypoints=predicted),))
    np.testing.assert_array_equal(overlay(IMAGE, prediction, sample(true)), draw_keypoints(IMAGE, predicted, 0.0, true))
    np.testing.assert_array_equal(overlay(IMAGE, prediction), draw_keypoints(IMAGE, predicted))


def test_missed_subjects_are_shown() -> None:
    nothing = Prediction("a", (80, 120))
    np.testing.assert_array_equal(overlay(IMAGE, nothing), IMAGE)
    assert (overlay(IMAGE, nothing, sample(line((33, 30), (60, 54)))) != IMAGE).any()


def test_a_box_is_drawn_only_where_nothing_finer_is_known() -> None:
    box = np.array([5.0, 5.0, 100.0, 70.0])
    boxed = Prediction("a", (80, 120), (Instance(box=box),))
    assert (overlay(IMAGE, boxed) != IMAGE).any()
    with_points = Instance(box=box, keypoints=line((30, 30), (60, 50)))
    plain = replace(with_points, box=None)
    np.testing.assert_array_equal(
        overlay(IMAGE, Prediction("a", (80, 120), (with_points,))),
        overlay(IMAGE, Prediction("a", (80, 120), (plain,))),
    )


def test_a_closeup_moves_pixels_points_boxes_masks_and_gaze_together() -> None:
    mask = np.zeros((80, 120), dtype=bool)
    mask[20:30, 40:60] = True
    instance = Instance(
        box=np.array([40.0, 20.0, 60.0, 30.0]),
        keypoints=line((40, 20), (60, 30)),
        mask=lambda: mask,
        gaze=Gaze(np.array([[50.0, 25.0]]), True, np.array([40.0, 20.0])),
    )
    prediction = Prediction("a", (80, 120), (instance,), depth=Depth(IMAGE[..., 0].astype(np.float32)))
    picture, moved, truth = closeup(
        IMAGE, prediction, sample(line((40, 20), (60, 30))), np.array([30.0, 10, 70, 50]), 80
    )
    assert picture.shape == (80, 80, 3)
    assert moved.size == (80, 80)
    seen = moved.instances[0]
    assert seen.keypoints is not None
    assert seen.box is not None
    assert seen.mask is not None
    assert seen.gaze is not None
    np.testing.assert_allclose(seen.keypoints.points, [[20, 20], [60, 40]])
    np.testing.assert_allclose(seen.box, [20, 20, 60, 40])
    np.testing.assert_allclose(seen.gaze.points, [[40, 30]])
    assert seen.mask()[20:40, 20:60].all()
    assert seen.mask().sum() == 20 * 40
    assert truth is not None
    assert truth.instances is not None
    assert truth.instances[0].keypoints is not None
    np.testing.assert_allclose(truth.instances[0].keypoints.points, [[20, 20], [60, 40]])
    assert moved.depth is not None
    assert moved.depth.values.shape == (80, 80)
    same, _, _ = closeup(IMAGE, prediction, None, np.array([30.0, 10, 70, 50]), 40)
    np.testing.assert_array_equal(same, IMAGE[10:50, 30:70])


def test_the_subjects_box_holds_prediction_and_truth_and_stays_inside() -> None:
    wide = Prediction("a", (400, 600), (Instance(keypoints=line((5, 5), (60, 50))),))
    truth = Sample("a", (400, 600), lambda: IMAGE, (Instance(keypoints=line((10, 90), (np.nan, 1))),))
    box = subject_box(wide, truth)
    assert box is not None
    assert (box[:2] >= 0).all()
    assert box[2] - box[0] == box[3] - box[1]
    assert (box[:2] <= 5).all()
    assert (box[2:] >= [60, 90]).all()
    assert subject_box(Prediction("a", (400, 600)), None) is None
    assert subject_box(Prediction("a", (400, 600), (Instance(keypoints=line((0, 0), (600, 400))),)), None) is None
