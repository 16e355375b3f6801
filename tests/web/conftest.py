"""Runs to serve, trained in seconds."""

from pathlib import Path

import pytest

from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig
from gensight.verbs.landmarks import fit_keypoints
from gensight.verbs.train import train
from tests.backbones.test_transformers_encoder import save as save_classifier
from tests.pipelines import save_pipeline
from tests.verbs.small_recipe import small_recipe
from tests.verbs.test_classify import recipe as classifier_recipe
from tests.verbs.test_gaze import recipe as gaze_recipe
from tests.verbs.test_landmarks import LABELS
from tests.verbs.test_landmarks import SMALL as LANDMARKS

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


@pytest.fixture(scope="session")
def instruct_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follows instructions, untaught."""
    folder = tmp_path_factory.mktemp("serve")
    data = {"kind": "puppets", "num_train": 2, "num_validation": 1, "num_test": 1, "size": [64, 64], "subjects": "all"}
    values = {
        "name": "words",
        "data": data,
        "view": {"size": [64, 64]},
        "encoding": {"kind": "painted", "tasks": ["segment", "depth"], "near": 0.5},
        "backbone": {"kind": "diffusers", "id": str(save_pipeline(folder / "sd")), "trainable": "lora", "lora_rank": 2},
        "method": {"kind": "instruct", "way": "one-step"},
        "training": {"steps": 1, "batch_size": 2, "validate_every": 1},
        "evaluation": {"protocols": ["depth-affine"], "baselines": []},
    }
    return train(RunConfig.model_validate(values), folder / "words", "cpu")


@pytest.fixture(scope="session")
def landmark_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds keypoints fitted to landmarks."""
    folder = tmp_path_factory.mktemp("serve")
    learned = train(load_recipe("landmarks-puppets", LANDMARKS), folder / "pairs", "cpu")
    return fit_keypoints(learned, "puppets", LABELS, counts=(), out=folder / "landmarks", device="cpu")


@pytest.fixture(scope="session")
def classifier_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says what an image shows."""
    folder = tmp_path_factory.mktemp("serve")
    save_classifier(folder / "resnet")
    data = {"kind": "puppets", "num_train": 6, "num_validation": 0, "num_test": 3, "size": [32, 32], "subjects": "all",
            "num_subjects": [1, 1]}  # fmt: skip
    config = classifier_recipe(
        folder, data=data, view={"size": [32, 32]}, training={"steps": 1}, evaluation={"baselines": []}
    )
    return train(config, folder / "classes", "cpu")
