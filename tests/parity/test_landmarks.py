"""Landmarks as published by Dundar et al. (arXiv 2001.09518), against plain transcriptions."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from gensight.backbones.scratch import ScratchEncoder
from gensight.config.loading.loader import load_recipe
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.parts import paint, pool, read_landmarks, render, spatial_softmax
from gensight.methods.landmarks.perception import Vgg19
from gensight.methods.landmarks.regression import fit
from gensight.methods.landmarks.separation_loss import Adversary
from gensight.metrics.keypoints import InterOcularError
from gensight.readers.faces import FACE_68
from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Sample, Visibility
from gensight.transforms.thin_plate_spline import WarpRange, centres, draw_warp
from tests.methods.landmarks import small
from tests.parity import landmark_step as plain

SIDE = small.SIZE[0]


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file(Vgg19().state_dict(), path)
    return path


def published(vgg_file: Path, **options: Any) -> Landmarks:
    torch.manual_seed(0)
    chosen = {
        **small.SMALL, "formulas": "published", "covariance": "fitted", "background": "none", "perceptual": "vgg19",
        "vgg_weights": vgg_file, "adversary": Adversary(1.0, width=4, published=True), **options,
    }  # fmt: skip
    return Landmarks(ScratchEncoder(widths=(8, 8, 8)), 4, **chosen).eval()


def transcribed(method: Landmarks, pose: Tensor, looks: Tensor) -> Tensor:
    """The reconstruction, from 0 to 1."""
    model, found = method.model, []
    for images in (pose, looks):
        maps, features = plain.u_net(plain.weights_of(model.shape.network), images, 2, 2)  # type: ignore[arg-type]
        found.append((*plain.moments(maps), features))
    _, mean, covariance, _ = found[0]
    probabilities, _, _, features = found[1]
    described, _ = plain.u_net(plain.weights_of(model.appearance), torch.cat([probabilities, features], 1), 1, 1)
    vectors = (probabilities[:, :, None] * described[:, None]).sum((3, 4))
    return plain.decoded(plain.weights_of(model.decoder), mean, covariance, vectors, SIDE, 2)


@torch.no_grad()
def test_one_steps_losses_within_1e_5(vgg_file: Path) -> None:
    method, batch = published(vgg_file), small.batch()
    losses = method.losses(batch)
    verdict = method.losses(batch, "discriminator")["verdict"].mean
    pair = method.pair(batch)
    drawn, target = 2 * transcribed(method, pair.pose, pair.looks) - 1, 2 * pair.target - 1
    vgg = plain.weights_of(method.space.features)  # type: ignore[union-attr]
    expected = plain.reconstruction(drawn, target, vgg)
    got = losses["reconstruction"].mean * losses["reconstruction"].weight
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=0)

    discriminator = plain.weights_of(method.discriminator)
    fake, real = (plain.logits(discriminator, images, 2, 3) for images in (drawn, target))
    fools = sum(((one - 1) ** 2).mean() for one in fake)
    critic = sum((r - 1).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True)) / 2
    torch.testing.assert_close(losses["adversarial"].mean, torch.as_tensor(fools), rtol=1e-5, atol=0)
    torch.testing.assert_close(verdict, torch.as_tensor(critic), rtol=1e-5, atol=0)


@torch.no_grad()
def test_own_formulas_give_another_loss(vgg_file: Path) -> None:
    batch = small.batch()
    own, theirs = (published(vgg_file, formulas=name).losses(batch) for name in ("own", "published"))
    assert theirs["reconstruction"].mean / own["reconstruction"].mean > 1.5


@pytest.mark.parametrize(("background", "millions"), [("none", 20.6), ("full", 31.6)])
def test_parameters_of_the_recipe_within_0_05_million(background: str, millions: float) -> None:
    recipe = load_recipe("landmarks-bbc-published", ["data.root=/bbc", f"method.background={background}"])
    options = {name: value for name, value in recipe.method if name not in ("kind", "warp", "jitter", "adversary")}
    options |= {"perceptual": "pixels", "vgg_weights": None}
    with torch.device("meta"):
        method = Landmarks(ScratchEncoder(), recipe.encoding.num_landmarks, **options)  # type: ignore[union-attr]
    assert sum(one.numel() for one in method.model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_published_discriminator_has_three_channels_and_no_spectral_norm(vgg_file: Path) -> None:
    method = published(vgg_file)
    assert {one[0].in_channels for one in method.discriminator.scales} == {3}  # type: ignore[index, union-attr]
    assert not [name for name in method.discriminator.state_dict() if "parametrizations" in name]


def turned(uniform: Tensor, reach: WarpRange, points: np.ndarray) -> np.ndarray:
    """x -> R S (x - c) + c, without the spline."""
    angle, first, right, down, second = (float(one) for one in uniform[0, :5])
    angle = math.radians(reach.rotation) * (2 * angle - 1)
    low, high = reach.scale
    centre = 2 * reach.translation * (2 * np.array([right, down]) - 1)
    scale = np.diag([low + (high - low) * first, low + (high - low) * second])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.stack([turn @ scale @ (point - centre) + centre for point in points])


def test_published_warps_within_1e_6() -> None:
    reach = WarpRange(bend=0.0, published=True)
    uniform = torch.rand(1, reach.num_draws, generator=torch.Generator().manual_seed(2))
    points = torch.rand(1, 20, 2, generator=torch.Generator().manual_seed(3)) * 2 - 1
    warp = draw_warp(uniform, reach)
    np.testing.assert_allclose(warp(points)[0], turned(uniform, reach, points[0].numpy()), atol=1e-6)


@pytest.mark.parametrize(("as_published", "radius"), [(True, 26), (False, 35)])
def test_a_ring_of_radius_30_shrinks_as_published_and_grows_by_our_rule(as_published: bool, radius: int) -> None:
    places = centres(128, 128, torch.zeros(1)) * 64
    ring = ((places.norm(dim=1) - 30).abs() < 1).float().view(1, 1, 128, 128)
    reach = WarpRange(bend=0, rotation=0, scale=(1.15, 1.15), translation=0, published=as_published)
    warped = draw_warp(torch.full((1, reach.num_draws), 0.5), reach).image(ring).flatten()
    assert float((warped * places.norm(dim=1)).sum() / warped.sum()) == pytest.approx(radius, abs=0.6)


def test_means_covariances_rendering_pooling_and_painting_within_1e_5() -> None:
    generator = torch.Generator().manual_seed(3)
    maps = 2 * torch.randn(2, 3, 16, 16, generator=generator)
    features = torch.randn(2, 6, 16, 16, generator=generator)
    probabilities, mean, covariance = plain.moments(maps)
    found = read_landmarks(spatial_softmax(maps), None, 1e-9)
    drawn = render(found, 16, 16)
    vectors = pool(drawn, features)
    expected = plain.rendered(mean, covariance, 16, 16)
    pooled = (expected[:, :, None] * features[:, None]).sum((3, 4)) / expected.sum((2, 3))[..., None]
    painted = (pooled[..., None, None] * expected[:, :, None]).sum(1) / (1 + expected.sum(1, keepdim=True))
    for ours, theirs in (
        (spatial_softmax(maps), probabilities), (found.mean, mean), (found.covariance, covariance), (drawn, expected),
        (vectors, pooled), (paint(vectors, drawn), painted),
    ):  # fmt: skip
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_regression_without_intercept_within_1e_12() -> None:
    """Least squares by the normal equations, of landmarks and keypoints counted from the view's centre."""
    rng = np.random.default_rng(0)
    landmarks, points = rng.uniform(size=(40, 12)), rng.uniform(size=(40, 14))
    weights, offset = fit(landmarks, points, np.ones_like(points, bool), "linear")
    x, y = landmarks - 0.5, points - 0.5
    expected = x @ np.linalg.solve(x.T @ x, x.T @ y) + 0.5
    np.testing.assert_allclose(landmarks @ weights + offset, expected, atol=1e-12)


def face(points: Array) -> Instance:
    count = len(points)
    seen = np.full(count, Visibility.VISIBLE, np.int8)
    return Instance("face", None, Keypoints(FACE_68, points, seen, np.ones(count, np.float32)))


def test_imms_protocol_within_1e_12() -> None:
    """Jakab et al., NeurIPS 2018: regression without bias; errors over the distance of the eyes' outer corners."""
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(size=(90, 20))
    truth = 100 * rng.uniform(size=(90, 68, 2))
    weights, offset = fit(landmarks[:60], truth[:60].reshape(60, -1) / 100, np.ones((60, 136), bool), "linear")
    answers = 100 * (landmarks[60:] @ weights + offset).reshape(30, 68, 2)
    metric = InterOcularError(FACE_68)
    for number, (points, answer) in enumerate(zip(truth[60:], answers, strict=True)):
        sample = Sample(str(number), (100, 100), lambda: np.zeros((100, 100, 3), np.uint8), (face(points),))
        metric.update(Prediction(str(number), (100, 100), (face(answer),)), Item((sample,), 0))
    (result,) = metric.compute()

    x, y = landmarks - 0.5, truth / 100 - 0.5
    solved = np.linalg.lstsq(x[:60], y[:60].reshape(60, -1), rcond=None)[0]
    expected = 0.0
    for points, row in zip(truth[60:], x[60:], strict=True):
        answer = 100 * ((row @ solved).reshape(68, 2) + 0.5)
        between_eyes = np.hypot(*(points[36] - points[45]))
        expected += np.mean([np.hypot(*(a - p)) for a, p in zip(answer, points, strict=True)]) / between_eyes / 30
    assert result.value == pytest.approx(expected, rel=1e-12)
    assert result.unit == "%"
