"""Points are followed to a fraction of a pixel, and lost where they can't be."""

from functools import partial

import numpy as np
import pytest

from gensight.samples import Instance, Sample
from gensight.teachers.models.tracks import TrackTeacher
from tests.contracts.teacher import TeacherContract
from tests.teachers.samples import Pixels, moving


def video(frames, masks=None):
    return [
        Sample(
            f"v#{number}",
            pixels.shape[:2],
            Pixels(pixels),
            group="v",
            instances=None if masks is None else (Instance(mask=partial(np.copy, masks[number])),),
        )
        for number, pixels in enumerate(frames)
    ]


class TestTrackTeacher(TeacherContract):
    @pytest.fixture
    def teacher(self):
        return TrackTeacher(grid=4, query_interval=3, longest=4)

    @pytest.fixture
    def samples(self):
        return video(moving(6))


@pytest.mark.parametrize("query", [0, 3, 5])
def test_a_moving_picture_is_followed_both_ways(query):
    frames = moving(6, (2, 1))
    points = np.array([[22.5, 22.5], [40.0, 30.25], [50.5, 40.5]], dtype=np.float32)
    tracks, confidence = TrackTeacher().follow(frames, query, points)
    assert (confidence > 0.5).all()
    expected = points + (query - np.arange(6))[:, None, None] * np.array([2, 1])
    np.testing.assert_allclose(tracks, expected, atol=0.15)


def test_a_point_that_leaves_is_lost_for_good():
    frames = moving(8, (6, 0))
    tracks, confidence = TrackTeacher().follow([*frames, *frames[::-1]], 0, np.array([[20.0, 30.0]], dtype=np.float32))
    assert (confidence[:3] > 0).all()
    assert (confidence[5:] == 0).all()
    assert np.isnan(tracks[5:]).all()


def test_a_point_that_is_covered_is_lost():
    frames = [frame.copy() for frame in moving(5, (0, 0))]
    for frame in frames[2:]:
        frame[15:45, 25:55] = 128
    _, confidence = TrackTeacher().follow(frames, 0, np.array([[40.0, 30.0], [10.0, 10.0]], dtype=np.float32))
    assert (confidence[2:, 0] == 0).all()
    assert (confidence[:, 1] > 0.5).all()


def test_points_are_chosen_on_masks_and_hidden_off_them():
    masks = [np.zeros((64, 80), dtype=bool) for _ in range(4)]
    for mask in masks:
        mask[:, :40] = True
    masks[2][:] = False
    [labels] = TrackTeacher(grid=8).label(video(moving(4, (1, 0)), masks))
    [track] = labels.tracks
    assert track.points.shape == (4, 32, 2)
    assert (track.points[0, :, 0] < 40).all()
    assert not track.visible[2].any()
    assert track.visible[3].sum() > 20
    [ignoring] = TrackTeacher(grid=8, masks="ignore").label(video(moving(4, (1, 0)), masks))
    assert ignoring.tracks[0].points.shape == (4, 64, 2)


def test_long_videos_are_cut_and_points_are_chosen_again():
    [labels] = TrackTeacher(grid=3, query_interval=2, longest=4).label(video(moving(10, (1, 0))))
    assert [(track.start, len(track.points)) for track in labels.tracks] == [(0, 4), (4, 4), (8, 2)]
    assert labels.tracks[0].queries.tolist() == [0] * 9 + [2] * 9
    at_query = labels.tracks[0].points[labels.tracks[0].queries, np.arange(18)]
    np.testing.assert_allclose(at_query[:9], at_query[9:])


class Still(TrackTeacher):
    """A tracker without motion, in place of a learned one."""

    tracker = "still@1"

    def follow(self, frames, query, points):
        return np.repeat(points[None], len(frames), 0), np.full((len(frames), len(points)), 0.25, dtype=np.float32)


def test_any_tracker_will_do():
    teacher = Still(grid=2)
    [labels] = teacher.label(video(moving(3)))
    assert (labels.tracks[0].points[0] == labels.tracks[0].points[2]).all()
    assert teacher.settings()["tracker"] == "still@1"
    assert teacher.fingerprint() != TrackTeacher(grid=2).fingerprint()
