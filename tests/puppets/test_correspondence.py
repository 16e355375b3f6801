"""Correspondences between frames: exact on the same frame, consistent both ways, and true to the colours."""

import numpy as np
import pytest

from gensight.geometry import inside
from gensight.puppets.correspondence import correspond, grid
from gensight.puppets.render import depth_map
from gensight.readers.puppets import PuppetsReader
from gensight.samples import SYNTHETIC

SIZE = (128, 128)


@pytest.fixture(scope="module")
def reader():
    return PuppetsReader(24, seed=8, size=SIZE, truths=(), subjects="all", num_frames=4)


def follow(reader, start, end, cells=(32, 32)):
    """Points of one frame, their places in another, and whether they can be seen there."""
    points = grid(SIZE, cells)
    return points, *correspond(reader._frame(start)[2], reader._frame(end)[2], points)


def test_a_frame_corresponds_to_itself(reader):
    points, found, visible = follow(reader, 0, 0)
    np.testing.assert_allclose(found[visible], points[visible], atol=1e-6)
    assert visible.mean() > 0.4


def test_following_there_and_back_returns_to_the_start(reader):
    moved = 0
    for start in range(0, 24, 4):
        points, found, visible = follow(reader, start, start + 3)
        here, there = points[visible], found[visible]
        assert inside(there, SIZE).all()
        back, _ = correspond(reader._frame(start + 3)[2], reader._frame(start)[2], there)
        np.testing.assert_allclose(back, here, atol=1e-4)
        moved += (np.linalg.norm(there - here, axis=1) > 3).sum()
    assert moved > 300


def test_corresponding_points_have_the_same_colour(reader):
    same, other = [], []
    for start in range(0, 24, 4):
        points, found, visible = follow(reader, start, start + 2, (48, 48))
        first, second = reader[start].image().astype(float), reader[start + 2].image().astype(float)
        a = points[visible].astype(int)
        b = np.minimum(found[visible].astype(int), 127)
        same.append(np.abs(first[a[:, 1], a[:, 0]] - second[b[:, 1], b[:, 0]]).mean())
        b = np.random.default_rng(0).permutation(b)
        other.append(np.abs(first[a[:, 1], a[:, 0]] - second[b[:, 1], b[:, 0]]).mean())
    assert np.mean(same) < 0.5 * np.mean(other)


def test_tracks_are_unknown_where_not_visible(reader):
    points, found, visible = follow(reader, 4, 7)
    here, there = reader.relation(4, 7).tracks
    np.testing.assert_array_equal(here, points)
    np.testing.assert_array_equal(there, np.where(visible[:, None], found, np.nan))


def test_relations_are_tracks_of_two_frames_and_none_between_scenes(reader):
    relation = reader.relation(1, 3)
    assert relation.tracks.shape == (2, 1024, 2)
    assert relation.provenance == SYNTHETIC
    assert np.isfinite(relation.tracks[0]).all()
    seen = np.isfinite(relation.tracks[1]).all(1)
    assert 0.3 < seen.mean() < 1
    assert inside(relation.tracks[1, seen], SIZE).all()
    assert reader.relation(3, 4) is None


def test_what_stands_still_moves_as_the_camera_does(reader):
    """Points of floor and walls, lifted by the depth map, turned to the second camera and projected."""
    errors, moved = [], []
    for start in range(0, 24, 4):
        (_, before, first), (_, after, _) = reader._frame(start), reader._frame(start + 3)
        there, found = reader.relation(start, start + 3).tracks
        column, row = there.astype(int).T
        depth = depth_map(first)[row, column]
        focal = before.camera.focal * min(SIZE)
        rays = np.stack([there[:, 0] - SIZE[1] / 2, SIZE[0] / 2 - there[:, 1]], axis=1) / focal
        places = np.concatenate([rays * depth[:, None], depth[:, None]], axis=1) @ before.camera.rotation
        expected, _ = after.camera.world_to_image(places + before.camera.position, SIZE)
        still = (first.owners[row, column] == 0) & np.isfinite(found).all(1)
        errors.append(np.linalg.norm(expected - found, axis=1)[still])
        moved.append(np.linalg.norm(there - found, axis=1)[still])
    errors, moved = np.concatenate(errors), np.concatenate(moved)
    assert np.median(moved) > 4
    assert np.nanmedian(errors) < 0.05
    assert np.nanpercentile(errors, 90) < 0.3
