"""Finding descriptors in a map, to a fraction of a cell."""

import numpy as np
import pytest
import torch

from gensight.encodings.pairs.matching import (
    TEMPERATURE,
    find_descriptors,
    find_points,
    nearest_cells,
    refine,
    sample_descriptors,
)
from gensight.geometry import pixel_centres
from tests.encodings.pair_items import place_descriptors


def test_bilinear_shares_place_a_point_back() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(0.5, [8.5, 5.5], (50, 2)))
    cells, shares = nearest_cells(points, 6, 9)
    centres = torch.from_numpy(pixel_centres((6, 9)).reshape(-1, 2))
    torch.testing.assert_close((centres[cells] * shares[..., None]).sum(1), points)
    torch.testing.assert_close(shares.sum(-1), torch.ones(50, dtype=shares.dtype))
    assert shares.min() >= 0


@pytest.mark.parametrize("point", [(-3.0, 2.5), (0.2, 2.5), (20.0, 2.5)])
def test_points_beyond_the_outermost_centres_belong_to_those_cells(point) -> None:
    cells, shares = nearest_cells(torch.tensor([point]), 6, 9)
    assert cells[0, shares[0] > 0].tolist() == [2 * 9 + (8 if point[0] > 10 else 0)]


def test_a_descriptor_at_a_cell_is_that_cells() -> None:
    maps = torch.rand(2, 5, 4, 3)
    found = sample_descriptors(maps, torch.tensor([[[1.5, 2.5]], [[0.5, 0.5]]]))
    expected = torch.stack([maps[0, :, 2, 1], maps[1, :, 0, 0]])
    torch.testing.assert_close(found[:, 0], torch.nn.functional.normalize(expected, dim=1))


def test_descriptors_trained_with_bilinear_shares_are_placed_exactly() -> None:
    """A softmax that equals the four cells' shares, as the loss wants it, gives the place without error."""
    rng = np.random.default_rng(1)
    points = torch.from_numpy(rng.uniform(1, [9, 7], (40, 2)))
    cells, shares = nearest_cells(points, 8, 10)
    share = torch.zeros(40, 80, dtype=shares.dtype).scatter_add(1, cells, shares)
    similarity = (TEMPERATURE * share.clamp(min=1e-12).log()).view(40, 8, 10)
    np.testing.assert_allclose(refine(similarity.numpy()), points.numpy(), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
def test_places_are_unbiased_and_finer_than_cells(scale) -> None:
    rng = np.random.default_rng(2)
    errors = []
    for seed in range(4):
        shift = rng.uniform(-1, 1, 2)
        maps = [place_descriptors(pixel_centres((24, 32)) - move, scale, seed) for move in (0, shift)]
        first, second = (torch.from_numpy(np.moveaxis(one, -1, 0)).float() for one in maps)
        points = rng.uniform(5, [27, 19], (200, 2))
        found, confidence = find_points(first, second, points)
        errors.append(found - points - shift)
        assert confidence.min() > 0.5
    errors = np.concatenate(errors)
    assert np.abs(errors.mean(0)).max() < 0.03
    assert np.sqrt((errors**2).mean()) < 0.25  # rounding to cells would give 0.29


def test_maps_of_two_sizes_and_no_points() -> None:
    second = torch.rand(8, 12, 20)
    found, confidence = find_points(torch.rand(8, 4, 4), second, np.array([(1.2, 2.2), (np.nan, np.nan)]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert confidence[1] == 0
    found, confidence = find_points(torch.rand(8, 4, 4), second, np.zeros((0, 2)))
    assert (found.shape, confidence.shape) == ((0, 2), (0,))


def test_a_descriptor_finds_its_own_cell() -> None:
    torch.manual_seed(0)
    maps = torch.randn(32, 6, 7)
    queries = torch.nn.functional.normalize(maps.flatten(1).T, dim=1)
    found, confidence = find_descriptors(queries, maps, temperature=0.01)
    np.testing.assert_allclose(found, pixel_centres((6, 7)).reshape(-1, 2), atol=1e-3)
    np.testing.assert_allclose(confidence, 1, atol=1e-5)
