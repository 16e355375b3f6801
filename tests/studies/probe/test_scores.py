"""Ridge regression on features with all, some or no information."""

import numpy as np
import pytest
import torch

from gensight.encodings.depth import DepthMap
from gensight.encodings.heatmap import Heatmap
from gensight.errors import DataError
from gensight.loading.cases import Cases
from gensight.loading.views import ViewPolicy
from gensight.readers.puppets import PuppetsReader
from gensight.skeletons import OPENPOSE_18
from gensight.studies.probe.scores import Task, divide, score_features, score_mean


@pytest.fixture(scope="module")
def keypoints() -> Task:
    reader = PuppetsReader(12, size=(64, 64), num_subjects=(1, 1))
    return Task.open(Cases(reader, Heatmap(OPENPOSE_18, stride=4), ViewPolicy((64, 64), "box")), 3)


@pytest.fixture(scope="module")
def depths() -> Task:
    reader = PuppetsReader(9, size=(64, 64), truths=("depth", "boxes"))
    return Task.open(Cases(reader, DepthMap(stride=4), ViewPolicy((64, 64))), 3)


@pytest.fixture(params=["keypoints", "depths"])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.getfixturevalue(request.param)
    return found


def mixed(targets: torch.Tensor, noise: float, channels: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(channels, targets.shape[1], generator=generator)
    features = torch.einsum("nmhw,cm->nchw", targets, mixing)
    return features + noise * torch.randn(features.shape, generator=generator)


def test_features_that_hold_the_target(task: Task) -> None:
    features = mixed(task.targets, 0)
    score = score_features(task, lambda numbers: features[list(numbers)])
    if task.in_pixels:
        assert score.value < 0.1
    else:
        assert score.value > 0.999
    assert score.interval[0] <= score.value <= score.interval[1]
    assert max(score.penalties) <= 1e-4


def test_features_without_information_score_as_the_mean_target(task: Task) -> None:
    constant = torch.arange(64.0).view(1, 1, 8, 8).expand(len(task.items), 1, 8, 8)
    features = torch.nn.functional.interpolate(constant, task.targets.shape[-2:])
    score, mean = score_features(task, lambda numbers: features[list(numbers)]), score_mean(task)
    assert score.value == pytest.approx(mean.value, rel=1e-4)
    assert mean.value > 1 if task.in_pixels else mean.value < 0.9


def test_features_of_noise_are_no_better_than_the_mean_target(task: Task) -> None:
    features = torch.randn(len(task.items), 8, *task.targets.shape[-2:], generator=torch.Generator().manual_seed(3))
    score, mean = score_features(task, lambda numbers: features[list(numbers)]), score_mean(task)
    assert score.value == pytest.approx(mean.value, rel=0.1)


def test_noisier_features_score_worse(task: Task) -> None:
    scores = []
    for noise in (0.0, 0.5, 4.0):
        features = mixed(task.targets, noise)
        scores.append(score_features(task, lambda numbers, features=features: features[list(numbers)]).value)
    assert scores == sorted(scores, reverse=not task.in_pixels)


def test_an_image_is_never_predicted_from_itself(depths: Task) -> None:
    """Features that name the image, and nothing else, are worth nothing."""
    count = len(depths.items)
    features = torch.eye(count)[:, :, None, None].expand(count, count, *depths.targets.shape[-2:])
    score = score_features(depths, lambda numbers: features[list(numbers)])
    assert score.value == pytest.approx(score_mean(depths).value, abs=0.02)


def test_unlabelled_channels_are_regressions_of_their_own(keypoints: Task) -> None:
    weights = keypoints.weights.clone()
    weights[:6, 3] = 0
    targets = keypoints.targets.clone()
    targets[:6, 3] = 5.0  # must not matter
    places = keypoints.places.copy()
    places[:6, 3] = np.nan
    task = Task(**{**vars(keypoints), "weights": weights, "targets": targets, "places": places})
    features = mixed(keypoints.targets, 0)
    score = score_features(task, lambda numbers: features[list(numbers)])
    assert score.value < 0.1
    assert len(score.penalties) == 2 * len(task.folds)


def test_groups_stay_together() -> None:
    groups = [f"video {number // 3}" for number in range(15)]
    folds, note = divide(groups, 3)
    assert sorted(number for fold in folds for number in fold) == list(range(15))
    assert note == "whole groups of images"
    for fold in folds:
        assert all((number // 3) * 3 + other in fold for number in fold for other in range(3))


def test_few_groups_are_cut_into_blocks() -> None:
    folds, note = divide(["one"] * 7, 3)
    assert folds == ((0, 1, 2), (3, 4), (5, 6))
    assert "too few groups" in note


def test_too_few_images() -> None:
    with pytest.raises(DataError, match="2 labelled images cannot be divided into 3 folds"):
        divide(["a", "b"], 3)
