"""Several runs on one source: those on one backbone share its passes."""

import json
from pathlib import Path

import numpy as np

from gensight.config.schema import RunConfig
from gensight.files.images import write_image
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.jobs import plan_jobs, write_predictions
from gensight.prediction.shared_backbone import share_backbones
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

NUM_IMAGES, BATCH_SIZES = 5, (2, 3)


def _recipe(folder: Path, number: int) -> RunConfig:
    return small_recipe(
        folder,
        "diffusers",
        name=f"run-{number}",
        seed=number,
        training={"steps": 1, "batch_size": 2, "validate_every": 1},
        evaluation={"protocols": ["mean-px"], "baselines": [], "batch_size": BATCH_SIZES[number]},
    )


def _confidences(folder: Path) -> list[list[float]]:
    entries = json.loads((folder / "predictions.json").read_text())
    assert len(entries) == NUM_IMAGES
    return [entry["keypoints"][2::3] for entry in entries]


def test_runs_on_one_backbone_share_every_pass(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(NUM_IMAGES):
        write_image(images / f"{number}.png", rng.integers(0, 256, (64, 64, 3), np.uint8))
    folders = [train(_recipe(tmp_path, number), tmp_path / f"run-{number}", "cpu") for number in (0, 1)]

    runs = [TrainedRun.load(folder, "cpu") for folder in folders]
    (memo,) = share_backbones(runs)
    source = open_source(images)
    jobs = plan_jobs(runs, False, False)
    write_predictions(jobs, [source], tmp_path / "together", lambda _: BoxFinder(), identity={}, draw=False)

    assert memo.num_passes == -(-NUM_IMAGES // min(BATCH_SIZES))
    for folder in folders:
        alone = predict(folder, images, tmp_path / "alone" / folder.name, "cpu", draw=False)
        # Two batch sizes sum in different orders: a few units in the last place of values near 1.
        together = _confidences(tmp_path / "together" / folder.name)
        np.testing.assert_allclose(together, _confidences(alone), atol=1e-4)
    assert not np.allclose(*(_confidences(tmp_path / "together" / folder.name) for folder in folders), atol=1e-3)
