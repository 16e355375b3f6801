"""Runs on one backbone share its pass, and predict the same as alone."""

from pathlib import Path

import pytest
import torch

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion
from gensight.prediction.shared_backbone import FeatureMemo
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_diffusion(str(save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")))


def test_the_same_input_is_computed_once(backbone: Backbone) -> None:
    memo, images = FeatureMemo(backbone), torch.rand(2, 3, 32, 32)
    first, again = memo.features(images), memo.features(images.clone())
    assert again is first
    assert memo.num_passes == 1
    for name, maps in backbone.features(images).maps.items():
        assert torch.equal(first.maps[name], maps)


def test_another_input_is_computed_again(backbone: Backbone) -> None:
    memo, images = FeatureMemo(backbone), torch.rand(1, 3, 32, 32)
    noise = torch.randn(1, *backbone.latent_shape((32, 32)))
    questions = [{}, {"timestep": 30}, {"timestep": 30, "noise": noise}, {"timestep": 30, "noise": noise + 1}]
    answers = [memo.features(images, **question) for question in questions]
    assert memo.num_passes == len(questions)
    assert [memo.features(images, **question) for question in questions] == answers
    memo.features(images + 0.1)
    assert memo.num_passes == len(questions) + 1


def test_it_forgets_the_oldest(backbone: Backbone) -> None:
    memo = FeatureMemo(backbone, size=1)
    first, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    for images in (first, second, first):
        memo.features(images)
    assert memo.num_passes == 3


def test_it_is_the_backbone_in_all_else(backbone: Backbone, tmp_path: Path) -> None:
    memo = FeatureMemo(backbone)
    assert memo.fingerprint() == backbone.fingerprint()
    assert memo.layers == backbone.layers
    assert memo.latent_shape((32, 32)) == backbone.latent_shape((32, 32))
    assert memo.features(torch.rand(1, 3, 32, 32), text=["a cat"]) is not None
    assert memo.num_passes == 0
