"""The losses of descriptors, against plain loops in numpy."""

import numpy as np
import pytest
import torch

from gensight.encodings.pairs.matching import find_points
from gensight.methods.readout.descriptors import appearance_loss, matching_loss

MODEL = (24, 32)
GRID = (6, 8)
TEMPERATURE = 0.07


def unit(*shape: int, axis: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(values, dim=axis)


def corners(point):
    """[(row, column, share)] of the four cells around a point in cells, clamped to the grid."""
    x = min(max(point[0] - 0.5, 0), GRID[1] - 1)
    y = min(max(point[1] - 0.5, 0), GRID[0] - 1)
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            share = max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
            if share > 0:
                yield row, column, share


def plain_matching(maps, points, weights):
    """One point at a time, in float64."""
    total = 0.0
    for pair, both, weight in zip(maps.double().numpy(), points.double().numpy(), weights.numpy(), strict=True):
        for number in np.flatnonzero(weight):
            for here, there in ((0, 1), (1, 0)):
                start, end = both[here, number] / 4, both[there, number] / 4
                query = sum(share * pair[here][:, row, column] for row, column, share in corners(start))
                query = query / np.linalg.norm(query)
                logits = np.einsum("d,dyx->yx", query, pair[there]) / TEMPERATURE
                log_probability = logits - np.log(np.exp(logits).sum())
                total -= sum(share * log_probability[row, column] for row, column, share in corners(end)) / 2
    return total


@pytest.fixture
def matching():
    rng = np.random.default_rng(5)
    points = torch.from_numpy(rng.uniform(0, [32, 24], (3, 2, 7, 2))).float()
    points[0, :, 0] = torch.tensor([[0.0, 0.0], [32.0, 24.0]])  # beyond the outermost centres
    weights = torch.ones(3, 7)
    weights[0, 4:] = 0
    weights[2] = 0
    return unit(3, 2, 16, *GRID, axis=2), points, weights


def test_matching_equals_a_plain_loop(matching) -> None:
    descriptors, points, weights = matching
    total, count = matching_loss(descriptors, points, weights, MODEL)
    assert count.item() == 4 + 7
    assert total.item() == pytest.approx(plain_matching(descriptors, points, weights), rel=1e-5)


def test_a_pair_without_weight_adds_nothing_and_learns_nothing(matching) -> None:
    descriptors, points, weights = matching
    descriptors.requires_grad_()
    total, count = matching_loss(descriptors, points, weights, MODEL)
    total.backward()
    assert descriptors.grad is not None
    assert (descriptors.grad[2] == 0).all()
    assert (descriptors.grad[1] != 0).any()
    without, rest = matching_loss(descriptors[:2], points[:2], weights[:2], MODEL)
    assert (without.item(), rest.item()) == pytest.approx((total.item(), count.item()))
    nothing = matching_loss(descriptors[2:], points[2:], weights[2:], MODEL)
    assert [value.item() for value in nothing] == [0, 0]


def test_matching_is_symmetric(matching) -> None:
    descriptors, points, weights = matching
    total, _ = matching_loss(descriptors, points, weights, MODEL)
    turned, _ = matching_loss(descriptors.flip(1), points.flip(1), weights, MODEL)
    assert turned.item() == pytest.approx(total.item(), rel=1e-5)


def test_descriptors_learn_to_match() -> None:
    """Free descriptors of two images, moved by a cell and a half: places between cells are found after some steps."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    points = rng.uniform([4, 4], [26, 20], (64, 2))
    move = np.array([6.0, 2.0])
    both = torch.from_numpy(np.stack([points, points + move])).float()[None]
    maps = torch.randn(1, 2, 16, *GRID, requires_grad=True)
    optimiser = torch.optim.Adam([maps], lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        total, count = matching_loss(torch.nn.functional.normalize(maps, dim=2), both, torch.ones(1, 64), MODEL)
        (total / count).backward()
        optimiser.step()
    first, second = torch.nn.functional.normalize(maps.detach()[0], dim=1)
    found, _ = find_points(first, second, points / 4)
    assert np.median(np.linalg.norm(4 * found - points - move, axis=1)) < 1.0  # a quarter of a cell


def plain_similarity(a, b, regions_a, regions_b, cells):
    a, b = a.double().numpy(), b.double().numpy()
    regions_a, regions_b = regions_a.double().numpy(), regions_b.double().numpy()
    if cells:
        return (regions_a * np.einsum("dyx,dyx->yx", a, b)).sum() / regions_a.sum()
    one, other = np.einsum("dyx,yx->d", a, regions_a), np.einsum("dyx,yx->d", b, regions_b)
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


@pytest.mark.parametrize("num_regions", [1, 3])
def test_appearance_equals_a_plain_loop(num_regions) -> None:
    descriptors = unit(4, 3, 8, *GRID, axis=2)
    regions = torch.rand(4, num_regions, *GRID, generator=torch.Generator().manual_seed(1))
    weights = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    total, count = appearance_loss(descriptors, regions, weights)
    expected = 0.0
    for one, region, weight in zip(descriptors, regions, weights[:, 0], strict=True):
        anchor, positive, negative = (region[slot % num_regions] for slot in range(3))
        near = 1 - plain_similarity(one[0], one[1], anchor, positive, num_regions == 1)
        far = 1 - plain_similarity(one[0], one[2], anchor, negative, num_regions == 1)
        expected += weight.item() * max(0.0, 0.5 + near - far)
    assert count.item() == 3
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_a_triplet_told_apart_by_the_margin_costs_nothing() -> None:
    maps = torch.zeros(1, 3, 2, *GRID)
    maps[0, :2, 0] = 1
    maps[0, 2, 1] = 1
    for regions in (torch.ones(1, 1, *GRID), torch.ones(1, 3, *GRID)):
        assert appearance_loss(maps, regions, torch.ones(1, 1))[0] == 0
        assert appearance_loss(maps, regions, torch.ones(1, 1), margin=1.25)[0] == pytest.approx(0.25)
        assert appearance_loss(maps[:, [0, 2, 1]], regions, torch.ones(1, 1))[0] == pytest.approx(1.5)


def test_an_empty_region_gives_no_nan() -> None:
    descriptors = unit(1, 3, 8, *GRID, axis=2).requires_grad_()
    for num_regions in (1, 3):
        total, _ = appearance_loss(descriptors, torch.zeros(1, num_regions, *GRID), torch.zeros(1, 1))
        total.backward()
        assert descriptors.grad is not None
        assert total.item() == 0
        assert descriptors.grad.isfinite().all()
