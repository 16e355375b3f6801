"""What a drag takes along: whole cells, noise and all; surroundings where it was."""

import torch

from gensight.guidance.carrying import carry, fill, with_disc_points

SIZE = (64, 64)  # 8 x 8 cells of 8 pixels


def points(*places: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(places, dtype=torch.float32)


def noisy(seed: int = 0, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_cells_move_by_the_drag_and_others_stay() -> None:
    latents = noisy(batch=2)
    moved = carry(latents, noisy(1), 0.5, points((12, 12)), points((44, 28)), 7, SIZE, (0, 1))
    # A disc of 7 pixels around a cell's centre is that cell alone.
    assert torch.equal(moved[..., 3, 5], latents[..., 1, 1])
    kept = torch.ones(8, 8, dtype=torch.bool)
    kept[3, 5] = kept[1, 1] = False
    assert torch.equal(moved[..., kept], latents[..., kept])
    assert not torch.isclose(moved[..., 1, 1], latents[..., 1, 1]).any()


def test_points_dragged_together_keep_their_arrangement() -> None:
    latents = noisy()
    handles = points((20, 20), (28, 20), (20, 36))
    moved = carry(latents, noisy(1), 0.5, handles, handles + torch.tensor([16.0, 8.0]), 9, SIZE, (0,))
    assert torch.equal(moved[..., 2:6, 4:6], latents[..., 1:5, 2:4])


def test_what_is_vacated_takes_its_surroundings() -> None:
    clean = torch.full((1, 4, 8, 8), 0.3)
    clean[..., 2:4, 1:3] = 5.0  # the subject
    signal = 0.999999
    handles, targets = points((16, 24)), points((48, 24))
    moved = carry(clean, clean, signal, handles, targets, 9, SIZE, (0,))
    torch.testing.assert_close(moved[..., 2:4, 1:3], torch.full((1, 4, 2, 2), 0.3), atol=0.01, rtol=0)
    assert (moved[..., 2:4, 5:7] == 5).all()


def test_vacated_cells_are_as_noisy_as_the_rest_and_by_their_seed() -> None:
    latents = torch.zeros(2, 4, 64, 64)
    ends = points((256, 256)), points((1, 1))
    moved = carry(latents, torch.zeros(1, 4, 64, 64), 0.36, *ends, 150, (512, 512), (3, 4))
    inside = moved[..., 26:38, 26:38]
    assert abs(float(inside.std()) - 0.8) < 0.05
    apart = float((inside[0] - inside[1]).square().mean().sqrt())
    assert abs(apart - 0.8 * 2**0.5) < 0.1  # two independent noises
    alone = carry(latents[:1], torch.zeros(1, 4, 64, 64), 0.36, *ends, 150, (512, 512), (4,))
    torch.testing.assert_close(alone[0], moved[1])  # fused or not, a product and sum differ by one eps


def test_a_drag_from_the_border_takes_what_there_is() -> None:
    latents = noisy()
    moved = carry(latents, noisy(1), 0.5, points((1, 1)), points((33, 33)), 17, SIZE, (0,))
    assert torch.equal(moved[..., 4:6, 4:6], latents[..., 0:2, 0:2])
    assert torch.equal(moved[..., 3, 4], latents[..., 3, 4])  # its origin would lie outside of the image


def test_a_hole_is_filled_without_a_step_at_its_rim() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 2, 16, 16)
    hole = torch.zeros(16, 16, dtype=torch.bool)
    hole[6:10, 6:10] = True
    torch.testing.assert_close(fill(ramp, hole), ramp, atol=0.02, rtol=0)
    assert torch.equal(fill(ramp, torch.zeros_like(hole)), ramp)
    assert torch.isfinite(fill(ramp, torch.ones_like(hole))).all()


def test_a_disc_is_taken_along_as_far_as_the_image_goes() -> None:
    handles, targets = points((10, 32), (40, 40)), points((30, 32), (60, 40))
    more, theirs = with_disc_points(handles, targets, 12, SIZE)
    assert torch.equal(more[:2], handles)
    torch.testing.assert_close(theirs - more, torch.tensor([20.0, 0.0]).expand(len(more), 2))
    distance = torch.cdist(more, handles).amin(1)
    assert len(more) > 30
    assert float(distance.max()) <= 12 + 1e-5
    for ends in (more, theirs):
        assert ((ends >= 0) & (ends <= 64)).all()
    assert torch.equal(with_disc_points(handles, targets, 0, SIZE)[0], handles)
