"""Targets, losses and PCK of readout heads as released by Luo et al. (CVPR 2024), against plain transcriptions.

Points stand at cells' centres here: the released code cuts them to whole cells, this package doesn't.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from gensight.encodings.base import OutputSpec
from gensight.encodings.heatmap import gaussians
from gensight.methods.readout.loss import output_loss
from gensight.metrics.readout_guidance import ReadoutGuidance2024
from gensight.samples import Array, Visibility
from gensight.skeletons import COCO_17
from tests.contracts.metric import score
from tests.metrics.subjects import answer, item, subject

GRID = 16


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mean_loss(values: Tensor, target: Tensor, weight: Tensor, spec: OutputSpec) -> float:
    total, count = output_loss(values, target, weight, spec, "mse", (8 * GRID, 8 * GRID))
    return float(total / count)


def test_gaussian_targets_are_equal_within_1e_6() -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(0, GRID, (6, 2))
    found = gaussians(cells + 0.5, (GRID, GRID), GRID / 16)
    for (x, y), heatmap in zip(cells, found, strict=True):
        rows, columns = np.mgrid[:GRID, :GRID]
        expected = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (GRID / 16) ** 2))
        np.testing.assert_allclose(heatmap, expected, rtol=0, atol=1e-6)


def test_the_heatmap_loss_is_equal_within_1e_12() -> None:
    maps, target = drawn(3, 18, GRID, GRID), drawn(3, 18, GRID, GRID, seed=1).sigmoid()
    expected = float((maps - target).square().mean())
    found = mean_loss(maps, target, torch.ones(3, 18, 1, 1), OutputSpec(18, "blobs", GRID / 16))
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_depth_loss_is_equal_within_1e_12() -> None:
    maps, target = drawn(3, 1, GRID, GRID).tanh(), drawn(3, 1, GRID, GRID, seed=1).sigmoid()
    expected = float((maps - (2 * target - 1)).square().mean())
    found = mean_loss(maps, target, torch.ones(3, 1, 1, 1), OutputSpec(1, "dense-image"))
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_correspondence_loss_is_equal_within_1e_6() -> None:
    descriptors = torch.nn.functional.normalize(drawn(1, 2, 24, GRID, GRID), dim=2)
    cells = torch.from_numpy(np.random.default_rng(0).integers(0, GRID, (2, 9, 2)))
    flat = descriptors[0].flatten(2)
    indices = cells[..., 1] * GRID + cells[..., 0]
    logits = flat[0].T @ flat[1] / 0.07
    expected = 0.0
    for scores, here, there in ((logits, indices[0], indices[1]), (logits.T, indices[1], indices[0])):
        probabilities = scores[here].softmax(1)[torch.arange(9), there]
        expected += float(-probabilities.log().mean()) / 2
    found = mean_loss(descriptors, 8 * (cells[None] + 0.5), torch.ones(1, 9), OutputSpec(0, "matching"))
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_triplet_loss_is_equal_within_1e_6() -> None:
    anchor, positive, negative = raw = drawn(3, 24, GRID, GRID)

    def distance(other: Tensor) -> float:
        return float((1 - (anchor * other).sum(0) / (anchor.norm(dim=0) * other.norm(dim=0))).mean())

    expected = max(0.0, 0.5 + distance(positive) - distance(negative))
    assert expected > 0
    descriptors = torch.nn.functional.normalize(raw, dim=1)[None]
    found = mean_loss(descriptors, torch.ones(1, 1, GRID, GRID), torch.ones(1, 1), OutputSpec(0, "appearance"))
    assert found == pytest.approx(expected, rel=1e-6)


def released_pck(points: Array, truth: Array, labelled: Array, threshold: float) -> float:
    """The mean over labelled joints, distances in extents of all joints, unlabelled ones at (0, 0)."""
    placed = np.where(labelled[:, None], truth, 0)
    extent = placed.max(0) - placed.min(0)
    correct = np.linalg.norm((points - placed) / extent, axis=1) < threshold
    return float(correct[labelled].mean())


def test_the_released_pck_is_equal_within_1e_15() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth = rng.uniform(50, 400, (17, 2))
        labelled = rng.random(17) < 0.8
        points = truth + rng.normal(0, 30, (17, 2))
        people = subject(np.where(labelled[:, None], truth + 0.5, np.nan))
        assert people.keypoints is not None
        assert ((people.keypoints.visibility == Visibility.VISIBLE) == labelled).all()
        asked = item("a", people)
        found = score(ReadoutGuidance2024(COCO_17, (0.1,)), [(answer(asked, points + 0.5), asked)]).value
        assert found == pytest.approx(released_pck(points, truth, labelled, 0.1), abs=1e-15)
