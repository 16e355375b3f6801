"""Landmarks read off maps, rendered, pooled and painted: against the formulas written out."""

import pytest
import torch

from gensight.methods.landmarks.parts import Landmarks, paint, pool, read_landmarks, render, spatial_softmax
from gensight.transforms.thin_plate_spline import centres


def maps(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def test_moments_are_those_of_the_formula() -> None:
    probabilities = spatial_softmax(maps(2, 3, 5, 7) * 2)
    found = read_landmarks(probabilities, None, 1e-9)
    places = centres(5, 7, probabilities)
    for image in range(2):
        for part in range(3):
            weight = probabilities[image, part].flatten()
            mean = (weight[:, None] * places).sum(0)
            centred = places - mean
            torch.testing.assert_close(found.mean[image, part], mean)
            torch.testing.assert_close(found.covariance[image, part], (weight[:, None] * centred).T @ centred)
    assert not found.floored.any()


def test_a_point_mass_is_exact_floored_and_certain() -> None:
    probabilities = torch.zeros(1, 1, 8, 8)
    probabilities[0, 0, 2, 5] = 1
    found = read_landmarks(probabilities, None, 0.01)
    torch.testing.assert_close(found.mean[0, 0], torch.tensor([11 / 8 - 1, 5 / 8 - 1]))
    assert found.floored.all()
    torch.testing.assert_close(found.covariance[0, 0], 0.01 * torch.eye(2), atol=1e-5, rtol=0)
    assert found.concentration.item() == pytest.approx(1, abs=1e-4)
    assert read_landmarks(torch.full((1, 1, 8, 8), 1 / 64), None, 0.01).concentration.item() == pytest.approx(
        0, abs=1e-4
    )


def test_the_grid_is_symmetric() -> None:
    found = read_landmarks(torch.full((1, 1, 6, 9), 1 / 54), 0.008, 1e-4)
    torch.testing.assert_close(found.mean, torch.zeros(1, 1, 2), atol=1e-6, rtol=0)


def test_rendering_is_one_over_one_plus_the_mahalanobis_distance() -> None:
    covariance = torch.tensor([[[[0.05, 0.02], [0.02, 0.03]]]])
    mean = torch.tensor([[[0.2, -0.3]]])
    one = Landmarks(mean, covariance, torch.ones(1, 1), torch.zeros(1, 1, dtype=torch.bool))
    drawn = render(one, 6, 8)
    difference = centres(6, 8, mean) - mean[0, 0]
    squared = (difference @ torch.linalg.inv(covariance[0, 0]) * difference).sum(1)
    torch.testing.assert_close(drawn.flatten(), 1 / (1 + squared))


def test_pooling_and_painting_are_the_five_dimensional_products() -> None:
    drawn, features = maps(2, 3, 4, 5).abs(), maps(2, 6, 4, 5)
    product = drawn[:, :, None] * features[:, None]
    expected = product.sum((-1, -2)) / drawn.sum((-1, -2))[..., None]
    vectors = pool(drawn, features)
    torch.testing.assert_close(vectors, expected)
    painted = (vectors[..., None, None] * drawn[:, :, None]).sum(1) / (1 + drawn.sum(1, keepdim=True))
    torch.testing.assert_close(paint(vectors, drawn), painted)


def test_a_collapsed_covariance_has_finite_gradients() -> None:
    logits = torch.zeros(1, 1, 4, 4)
    logits[0, 0, 1, 2] = 300
    logits.requires_grad_()
    found = read_landmarks(spatial_softmax(logits), None, 1e-3)
    render(found, 8, 8).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
