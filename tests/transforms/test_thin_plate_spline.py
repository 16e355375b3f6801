"""Warps: exact at their control points, nothing where the reach is nothing."""

import torch

from gensight.transforms.thin_plate_spline import WarpRange, centres, draw_warp

STILL = WarpRange(4, 0.0, 0.0, (1.0, 1.0), 0.0)


def test_a_warp_of_no_reach_is_the_identity() -> None:
    images = torch.rand(2, 3, 8, 12)
    warp = draw_warp(torch.rand(2, STILL.num_draws), STILL)
    torch.testing.assert_close(warp.image(images), images, atol=1e-4, rtol=0)


def test_control_points_move_by_the_sampled_displacement() -> None:
    reach = WarpRange(4, 0.05, 0.0, (1.0, 1.0), 0.0)
    draws = torch.rand(3, reach.num_draws)
    warp = draw_warp(draws, reach)
    moved = warp(warp.controls.expand(3, -1, -1)) - warp.controls
    torch.testing.assert_close(moved, 0.1 * (2 * draws[:, 4:].unflatten(1, (-1, 2)) - 1), atol=1e-4, rtol=0)


def test_images_and_points_move_alike() -> None:
    reach = WarpRange(4, 0.02, 30.0, (1.1, 1.2), 0.1)
    warp = draw_warp(torch.rand(1, reach.num_draws, generator=torch.Generator().manual_seed(0)), reach)
    places = centres(64, 64, torch.zeros(1))
    ramps = places.T.unflatten(1, (64, 64))[None]  # each pixel holds its own place
    inner = warp(places[None])[0]
    seen = warp.image(ramps)[0].flatten(1).T
    kept = inner.abs().amax(1) < 0.9
    assert kept.float().mean() > 0.5
    torch.testing.assert_close(seen[kept], inner[kept], atol=1e-3, rtol=0)
