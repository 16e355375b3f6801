"""Questions in words: what is understood, how it is asked, where the answers go."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gensight.assembly.encodings import build_encoding
from gensight.assembly.methods import build_method
from gensight.assembly.views import build_policy
from gensight.backbones.diffusion import load_diffusion
from gensight.config.schema import RunConfig
from gensight.diffusion.sampling import Sampling
from gensight.encodings.calibration import UNCALIBRATED
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.videos import VideoWriter
from gensight.methods.instruct.method import Instruct
from gensight.prediction.predictor import Predictor
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.predict_instruct import Question, predict_instruct, resolve, slug
from tests.pipelines import save_pipeline

NAMES = ("cat", "dog", "bird", "cow")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("pipeline") / "sd")


def untrained(pipeline: Path, folder: Path, **method: object) -> TrainedRun:
    config = RunConfig.model_validate(
        {
            "name": "words",
            "data": {"kind": "puppets", "num_train": 1, "num_validation": 0, "num_test": 1, "size": [64, 64]},
            "view": {"size": [64, 64]},
            "encoding": {"kind": "painted", "max_boxes": 2, "near": 0.5, "categories": NAMES, "labels": NAMES},
            "backbone": {"kind": "diffusers", "id": str(pipeline), "trainable": "lora", "lora_rank": 2},
            "method": {"kind": "instruct", "sample_steps": 2, **method},
            "evaluation": {"protocols": ["seg"], "batch_size": 3},
        }
    )
    encoding = build_encoding(config, None)
    built = build_method(config, load_diffusion(pipeline, trainable="lora", lora_rank=2), encoding)
    predictor = Predictor(built, encoding)
    run = RunFolder(folder)
    return TrainedRun(run, config, None, built, encoding, build_policy(config), UNCALIBRATED, predictor)


@pytest.fixture
def many(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainedRun:
    trained = untrained(pipeline, tmp_path / "run")
    monkeypatch.setattr(TrainedRun, "load", lambda *_: trained)
    return trained


@pytest.fixture(scope="module")
def one_step(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    return untrained(pipeline, tmp_path_factory.mktemp("run"), way="one-step")


def ask(trained: TrainedRun, source: Path, question: Question, out: Path | None = None) -> tuple[Path, dict[str, Any]]:
    folder = predict_instruct(trained.folder.root, source, question, out, "cpu", draw=False)
    return folder, json.loads((folder / "answers.json").read_text())


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
    return path


class TestClasses:
    def test_typed_ones_are_sorted_as_their_colours_were_learned(self, one_step: TrainedRun) -> None:
        asked, told = resolve(one_step, Question("segment them", classes=("dog", "cat")))
        assert asked.classes == ("cat", "dog")
        assert "classes: cat, dog (in the order of the vocabulary" in told

    def test_foreign_ones_keep_the_typed_order(self, one_step: TrainedRun) -> None:
        asked, told = resolve(one_step, Question("segment them", classes=("sofa", "cat")))
        assert asked.classes == ("sofa", "cat")
        assert "as typed: sofa not in the run's vocabulary" in told

    def test_more_than_training_asks_at_once_are_asked_one_by_one(self, one_step: TrainedRun) -> None:
        asked, told = resolve(one_step, Question("segment everything"))
        assert asked.classes == NAMES
        assert told.endswith("asked one by one (`segment the cat` ...), since training asks for 3 at once at most")
        assert "one by one" not in resolve(one_step, Question("segment the cat, the dog and the cow"))[1]
        assert "one by one" not in resolve(one_step, Question("what is this?"))[1]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question("segment it", classes=("cat", "")), "an empty name among the classes: `cat,`"),
        (Question("segment it", classes=("cat", "cat")), "`cat` is named twice"),
        (Question("how deep?", "depth", ("cat",)), "`depth` is asked of the whole image"),
        (Question("find all joints"), "not trained to keypoints[\\s\\S]*inferred from `joints`"),
        (Question("segment the cat", sampling=Sampling(seed=0)), "without noise or --seed"),
        (Question("segment the cat", sampling=Sampling("ddim", steps=2)), "without noise or --sampler, --steps"),
    ],
)
def test_what_a_run_in_one_step_refuses(one_step: TrainedRun, question: Question, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(one_step, question)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question("segment the cat", sampling=Sampling(steps=5000)), "5000 steps of 1000 noise levels"),
        (
            Question("segment the cat", sampling=Sampling(image_guidance=0.5)),
            "an image's weight of 0.5 switches guidance off",
        ),
    ],
)
def test_sampling_that_cannot_be(many: TrainedRun, question: Question, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(many, question)


def test_answers_say_how_they_were_drawn(many: TrainedRun, image: Path) -> None:
    drawn: list[str] = []
    method = many.method
    assert isinstance(method, Instruct)
    sample = method.editor.sample
    method.editor.sample = lambda *args: (drawn.append(args[4]), sample(*args))[1]  # type: ignore[method-assign, func-returns-value]
    _, told = ask(many, image, Question("segment the cat", sampling=Sampling("ddim", 1, num_samples=2, seed=4)))
    del told["answers"]
    assert told == {
        "instruction": "segment the cat", "task": "segment", "classes": ["cat"], "asked": "together",
        "way": "many-step", "sampler": "ddim", "steps": 1, "text_guidance": 7.5, "image_guidance": 1.5,
        "num_samples": 2, "seed": 4,
    }  # fmt: skip
    assert drawn == ["ddim", "ddim"]
    assert method.sampling == Sampling("euler", 2, 7.5, 1.5, 1)  # one question leaves nothing behind
    _, told = ask(many, image, Question("estimate the depth", sampling=Sampling(text_guidance=1.0)))
    assert (told["text_guidance"], told["image_guidance"], told["seed"]) == (1.0, 1.0, 0)


def test_a_run_in_one_step_has_no_sampling_to_tell(
    one_step: TrainedRun, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainedRun, "load", lambda *_: one_step)
    _, told = ask(one_step, image, Question("estimate the depth"), tmp_path / "out")
    assert set(told) == {"instruction", "task", "classes", "way", "answers"}


def test_all_classes_of_several_images_are_asked_in_full_batches(
    many: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.zeros((32, 32, 3), np.uint8))
    batches: list[list[str]] = []

    def outputs(batch: Any, sampling: Sampling) -> dict[str, torch.Tensor]:
        batches.append([f"{item.sample.key} {item.query.text}" for item in batch.items])
        painted = torch.zeros(len(batch), 3, 64, 64)
        for number, item in enumerate(batch.items):
            row = 16 * NAMES.index(item.query.options[0])
            painted[number, :, row : row + 16] = 1.0
        return {"painted": painted}

    monkeypatch.setattr(many.predictor, "outputs", outputs)
    _, told = ask(many, folder, Question("label every pixel"))
    assert batches == [
        ["a.png segment the cat", "a.png segment the dog", "a.png segment the bird"],
        ["a.png segment the cow", "b.png segment the cat", "b.png segment the dog"],
        ["b.png segment the bird", "b.png segment the cow"],
    ]
    assert told["asked"] == "one by one"
    found = [[one["category"] for one in answer["instances"]] for answer in told["answers"]]
    assert found == [list(NAMES), list(NAMES)]


def test_a_video(many: TrainedRun, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as video:
        for level in range(3):
            video.write(np.full((32, 48, 3), 50 * level, np.uint8))
    folder, told = ask(many, tmp_path / "clip.mp4", Question("estimate the depth"))
    named = [answer["depth"] for answer in told["answers"]]
    assert named == ["depth/000000.png", "depth/000001.png", "depth/000002.png"]
    assert all((folder / name).is_file() for name in named)


class TestFolders:
    def test_each_question_has_its_own(self, many: TrainedRun, image: Path) -> None:
        first, _ = ask(many, image, Question("estimate the depth"))
        second, _ = ask(many, image, Question("estimate the depth", sampling=Sampling(seed=2)))
        again, _ = ask(many, image, Question("estimate the depth"))
        assert first.parent == second.parent == many.folder.root / "predict" / "a"
        assert first == again != second

    def test_a_typed_one_holds_one_question(self, many: TrainedRun, image: Path, tmp_path: Path) -> None:
        ask(many, image, Question("estimate the depth"), tmp_path / "out")
        ask(many, image, Question("estimate the depth", sampling=Sampling(seed=2)), tmp_path / "out")
        with pytest.raises(ConfigError, match="another question: `estimate the depth`"):
            ask(many, image, Question("segment the cat"), tmp_path / "out")

    @pytest.mark.parametrize(
        ("text", "words"),
        [("Segment the cat, please!", "segment-the-cat-please-"), ("../..", "question-"), ("x" * 99, "x" * 40 + "-")],
    )
    def test_names(self, text: str, words: str) -> None:
        assert slug(Question(text)).startswith(words)
        assert len(slug(Question(text))) == len(words) + 6
        assert slug(Question(text)) != slug(Question(text, task="depth"))
