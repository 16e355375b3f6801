"""Restored photographs, and answers in colours that the words name: pooled, learned, scored and predicted."""

import json

import cv2
import numpy as np
import pytest

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.readers.instruct_pool.reader import InstructPoolReader
from gensight.verbs.ask import ask
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from gensight.verbs.train import train
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Rain, darkness and noise over random pictures, and synthetic animals with a class each."""
    root, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    for task in ("rain", "dark", "noise"):
        for part in ("train", "test"):
            for folder in ("input", "target"):
                (root / task / part / folder).mkdir(parents=True)
            for number in range(3):
                clean = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (64, 48))
                degraded = clean // 4 if task == "dark" else cv2.add(clean, rng.integers(0, 40, clean.shape, np.uint8))
                cv2.imwrite(str(root / task / part / "target" / f"clean-{number}.png"), clean)
                cv2.imwrite(str(root / task / part / "input" / f"bad-{number}.png"), degraded)
    sources = [
        f"image-pairs root={root}/{name} task={task} validation_share=0.34"
        for name, task in (("rain", "derain"), ("dark", "low-light"), ("noise", "denoise"))
    ]
    sources.append("puppets num_train=3 num_validation=2 num_test=2 subjects=animals num_subjects=[1,1] size=[48,64]")
    tasks = ("derain", "low-light", "denoise", "colour")
    build_instruct(root / "pool", Settings.checked(sources=tuple(sources), tasks=tasks, size=64))
    return root / "pool"


def test_a_pool_gives_back_pairs_and_labels(pool):
    samples = list(InstructPoolReader(pool, "train"))
    restored = {task: one for one in samples for task in one.extras.get("restored", {})}
    assert set(restored) == {"derain", "low-light", "denoise"}
    dark = restored["low-light"]
    bright = dark.extras["restored"]["low-light"]()
    assert bright.shape == dark.image().shape == (48, 64, 3)
    assert bright.mean() > 3 * dark.image().mean()
    assert {one.label for one in samples if not one.extras.get("restored")} - {None}
    records = [json.loads(path.read_text()) for path in (pool / "train").rglob("*-colour-*.json")]
    assert records
    for one in records:
        assert all(colour in one["instruction"].lower() for colour in one["colours"] if colour != "black")
    assert {one["present"] for one in records} == {True, False}


def test_they_are_learned_scored_and_predicted(pool, tmp_path):
    save_pipeline(tmp_path / "sd")
    config = RunConfig.model_validate(
        {
            "name": "more",
            "data": {"kind": "instruct-pool", "root": str(pool)},
            "view": {"size": [64, 64], "augment": {"flip": 0.5}},
            "encoding": {"kind": "painted", "tasks": ["derain", "low-light", "denoise", "colour"]},
            "backbone": {"kind": "diffusers", "id": str(tmp_path / "sd"), "trainable": "lora", "lora_rank": 2},
            "method": {"kind": "instruct", "way": "one-step"},
            "training": {"steps": 1, "batch_size": 4, "validate_every": 1},
            "evaluation": {"protocols": ["restoration", "top-1"], "batch_size": 8},
        }
    )
    run = train(config, tmp_path / "run", device="cpu")
    for one in json.loads((run / "metrics.json").read_text())["scores"]:
        values = {result["protocol"]: (result["value"], result["num_images"]) for result in one["results"]}
        assert {"psnr", "ssim", "top-1"} <= set(values)
        assert (values["psnr"][1], values["top-1"][1]) == (9, 2)
        assert all(np.isfinite(value) for value, _ in values.values())
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    for words, task in (("remove the rain", "derain"), ("brighten it", "low-light"), ("denoise this", "denoise")):
        out = ask(run, photo, words, tmp_path / task, device="cpu").folder
        answers = json.loads((out / "answers.json").read_text())
        assert (answers["task"], answers["classes"]) == (task, [])
        assert cv2.imread(str(out / answers["answers"][0]["restored"])) is not None
    result = ask(run, photo, "show purple if there is a dog, otherwise show green", tmp_path / "dog", device="cpu")
    answers = json.loads((result.folder / "answers.json").read_text())
    assert (answers["task"], answers["classes"]) == ("colour", ["dog"])
    assert set(answers["answers"][0]["label_scores"]) == {"dog"}
    with pytest.raises(ConfigError, match="2 classes have no distinct colours"):
        ask(run, photo, "show purple if there is a dog or a cat", tmp_path / "two", device="cpu")
