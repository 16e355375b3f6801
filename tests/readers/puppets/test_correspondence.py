"""Correspondences between frames: exact on the same frame, consistent both ways, and true to the colours."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.geometry import inside
from gensight.readers.puppets import PuppetsReader
from gensight.readers.puppets.correspondence import correspond

SIZE = (128, 128)


@pytest.fixture(scope="module")
def reader():
    return PuppetsReader(24, seed=8, size=SIZE, truths=(), subjects="all", num_frames=4)


def test_a_frame_corresponds_to_itself(reader):
    found = reader.correspondences(0, 0)
    np.testing.assert_allclose(found.second[found.visible], found.first[found.visible], atol=1e-6)
    assert found.visible.mean() > 0.4


def test_following_there_and_back_returns_to_the_start(reader):
    moved = 0
    for start in range(0, 24, 4):
        found = reader.correspondences(start, start + 3)
        there = found.second[found.visible]
        assert inside(there, SIZE).all()
        back = correspond(reader._frame(start + 3)[2], reader._frame(start)[2], there)
        np.testing.assert_allclose(back.second, found.first[found.visible], atol=1e-4)
        moved += (np.linalg.norm(there - found.first[found.visible], axis=1) > 3).sum()
    assert moved > 300


def test_corresponding_points_have_the_same_colour(reader):
    same, other = [], []
    for start in range(0, 24, 4):
        found = reader.correspondences(start, start + 2, (48, 48))
        first, second = reader[start].image().astype(float), reader[start + 2].image().astype(float)
        a = found.first[found.visible].astype(int)
        b = np.minimum(found.second[found.visible].astype(int), 127)
        same.append(np.abs(first[a[:, 1], a[:, 0]] - second[b[:, 1], b[:, 0]]).mean())
        b = np.random.default_rng(0).permutation(b)
        other.append(np.abs(first[a[:, 1], a[:, 0]] - second[b[:, 1], b[:, 0]]).mean())
    assert np.mean(same) < 0.5 * np.mean(other)


def test_tracks_are_unknown_where_not_visible(reader):
    found = reader.correspondences(4, 7)
    tracks = found.relation.tracks
    assert tracks.shape == (2, len(found.first), 2)
    assert (np.isfinite(tracks[1]).all(1) == found.visible).all()


def test_scenes_do_not_correspond_to_each_other(reader):
    with pytest.raises(DataError, match="samples 3 and 4 show different scenes"):
        reader.correspondences(3, 4)
