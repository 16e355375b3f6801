"""Runs to serve, trained in seconds."""

from pathlib import Path

import pytest

from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe
from tests.verbs.test_gaze import recipe as gaze_recipe

PROTOCOLS = {"protocols": ["mean-px"], "baselines": []}


@pytest.fixture(scope="session")
def keypoint_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds the keypoints of a person in a box."""
    folder = tmp_path_factory.mktemp("serve")
    training = {"steps": 2, "batch_size": 4, "validate_every": 2}
    return train(small_recipe(folder, evaluation=PROTOCOLS, training=training), folder / "keypoints", "cpu")


@pytest.fixture(scope="session")
def gaze_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds where heads look."""
    config = gaze_recipe("gaze-frozen", name="gaze", evaluation={"protocols": ["in-frame-ap"], "baselines": []})
    return train(config, tmp_path_factory.mktemp("serve") / "gaze", "cpu")
