"""Skeletons and edges by instructions: learned from, scored, and predicted."""

import json

import cv2
import numpy as np

from gensight.config.schema import RunConfig
from gensight.verbs.ask import ask
from gensight.verbs.train import train
from tests.pipelines import save_pipeline


def test_keypoints_and_edges_are_learned_scored_and_predicted(tmp_path):
    save_pipeline(tmp_path / "sd")
    puppets = {"kind": "puppets", "num_train": 3, "num_validation": 1, "num_test": 2, "size": [64, 64]}
    config = RunConfig.model_validate(
        {
            "name": "drawings",
            "data": puppets,
            "view": {"size": [64, 64], "augment": {"flip": 0.5}},
            "encoding": {"kind": "painted", "tasks": ["keypoints", "edges"]},
            "backbone": {"kind": "diffusers", "id": str(tmp_path / "sd"), "trainable": "lora", "lora_rank": 2},
            "method": {"kind": "instruct", "way": "one-step"},
            "training": {"steps": 1, "batch_size": 4, "validate_every": 1},
            "evaluation": {"protocols": ["coco-oks", "edges-f"], "batch_size": 8},
        }
    )
    run = train(config, tmp_path / "run", device="cpu")
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    for one in scores:
        values = {result["protocol"]: result["value"] for result in one["results"]}
        assert any(name.startswith("coco-oks") for name in values)
        assert any(name.startswith("edges-f") for name in values)
        assert all(np.isfinite(value) for value in values.values())
    cv2.imwrite(str(tmp_path / "photo.png"), np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    for words, task in (("draw the edges", "edges"), ("show the keypoints", "keypoints")):
        out = ask(run, tmp_path / "photo.png", words, tmp_path / task, device="cpu").folder
        answers = json.loads((out / "answers.json").read_text())
        assert (answers["task"], answers["classes"], len(answers["answers"])) == (task, [], 1)
    assert cv2.imread(str(next((tmp_path / "edges").rglob("edges/*.png")))) is not None
