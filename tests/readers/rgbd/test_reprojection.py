"""Reprojection: planes seen by cameras whose geometry is worked out by hand."""

import numpy as np
import pytest

from gensight.readers.rgbd.reprojection import (
    Rig,
    back_project,
    depth_at,
    followable,
    grid_points,
    project,
    register,
    visible,
)

CAMERA = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])


def rig(offset: tuple[float, float, float] = (0, 0, 0), scale: float = 1.0) -> Rig:
    return Rig(CAMERA, CAMERA * np.array([[scale, 1, 1], [1, scale, 1], [1, 1, 1]]), np.array(offset, dtype=np.float64))


def test_projection_and_back_projection_are_inverse():
    rng = np.random.default_rng(0)
    points, depths = rng.uniform(0, 60, (50, 2)), rng.uniform(0.5, 9, 50)
    np.testing.assert_allclose(project(back_project(points, depths, CAMERA), CAMERA), points, atol=1e-9)
    assert np.isnan(project(np.array([[0.0, 0, -1], [0, 0, 0]]), CAMERA)).all()


def test_a_point_by_hand():
    # 10 pixels right of the centre at 2 m is 0.2 m to the right; from 1 m nearer it is seen at 20 pixels.
    place = back_project(np.array([[42.0, 24.0]]), np.array([2.0]), CAMERA)
    np.testing.assert_allclose(place, [[0.2, 0, 2]])
    np.testing.assert_allclose(project(place - [0, 0, 1], CAMERA), [[52, 24]])


def test_depth_is_that_of_the_pixel():
    depth = np.arange(6, dtype=np.float32).reshape(2, 3)
    points = np.array(
        [[0.0, 0.0], [0.99, 0.99], [1.0, 0.5], [2.9, 1.9], [3.0, 1.0], [-0.1, 0], [np.nan, 1], [np.inf, 0]]
    )
    np.testing.assert_array_equal(depth_at(depth, points), [0, 0, 1, 5, np.nan, np.nan, np.nan, np.nan])


def test_points_at_outlines_and_holes_are_not_followed():
    depth = np.full((48, 64), 2.0, np.float32)
    depth[:, 30:] = 4
    depth[10, 10] = np.nan
    points = np.array([[5.5, 5.5], [29.5, 20.5], [30.5, 20.5], [31.5, 20.5], [11.5, 11.5], [12.5, 12.5], [0.5, 0.5]])
    kept, depths = followable(points, depth, 0.05)
    np.testing.assert_array_equal(kept, points[[0, 3, 5, 6]])
    np.testing.assert_array_equal(depths, [2, 4, 2, 2])


def test_what_lies_behind_is_hidden():
    depth = np.full((48, 64), 2.0, np.float32)
    depth[:, 40:] = 1.0
    depth[:5] = np.nan
    places = back_project(np.array([[20.5, 20.5], [50.5, 20.5], [20.5, 2.5], [70.5, 20.5]]), np.full(4, 2.0), CAMERA)
    np.testing.assert_array_equal(visible(places, depth, CAMERA, 0.05), [True, False, False, False])
    moved = np.concatenate([places * 1.04, places * 1.06])[[0, 4]]
    np.testing.assert_array_equal(visible(moved, depth, CAMERA, 0.05), [True, False])
    assert not visible(-places, depth, CAMERA, 0.05).any()


def test_grid_points_are_cell_centres():
    np.testing.assert_array_equal(grid_points((4, 8), (2, 2)), [[2, 1], [6, 1], [2, 3], [6, 3]])


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (96, 128)])
def test_one_view_of_two_sizes_is_resized_without_blending(size):
    depth = np.where(np.arange(64) < 32, 1.0, 3.0).astype(np.float32)[None].repeat(48, 0)
    scale = np.diag([size[1] / 64, size[0] / 48, 1.0])
    found = register(depth, Rig(CAMERA, scale @ CAMERA, np.zeros(3)), size)
    assert found.shape == size
    assert set(np.unique(found)) == {1.0, 3.0}
    np.testing.assert_array_equal(found[:, : size[1] // 2], 1.0)


def test_a_camera_beside_sees_a_plane_shifted():
    # 0.1 m at 2 m are 5 pixels; a wider view shrinks the plane towards the centre.
    depth = np.full((48, 64), 2.0, np.float32)
    found = register(depth, rig((0.1, 0, 0)), (48, 64))
    assert np.isnan(found[:, :5]).all()
    np.testing.assert_array_equal(found[:, 5:], 2.0)
    wider = register(depth, rig(scale=0.5), (48, 64))
    np.testing.assert_array_equal(np.isfinite(wider).nonzero()[0].min(), 12)
    assert np.isfinite(wider).sum() == 24 * 32


def test_the_nearest_of_several_surfaces_is_kept():
    depth = np.full((48, 64), 4.0, np.float32)
    depth[:, 20:40] = 1.0
    found = register(depth, rig((0.08, 0, 0)), (48, 64))  # 8 pixels at 1 m, 2 at 4 m
    np.testing.assert_array_equal(found[:, 28:48], 1.0)
    np.testing.assert_array_equal(found[:, 2:22], 4.0)
    assert np.isnan(found[:, 22:28]).all()  # uncovered: nobody measured it


def test_depth_is_counted_from_the_colour_camera():
    depth = np.full((48, 64), 2.0, np.float32)
    np.testing.assert_allclose(np.nanmax(register(depth, rig((0, 0, 0.5)), (48, 64))), 2.5)
    assert np.isnan(register(depth, rig((0, 0, -2.5)), (48, 64))).all()
