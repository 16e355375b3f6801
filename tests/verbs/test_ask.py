"""Instructions: how they are understood and queried, where the answers go."""

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
from gensight.diffusion.sampling import Sampling, find_sampler
from gensight.encodings.calibration import UNCALIBRATED
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.videos.writing import VideoWriter
from gensight.methods.instruct.method import Instruct
from gensight.prediction.outputs.choice import folder_name
from gensight.prediction.predictor import Predictor
from gensight.prediction.request import Request
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Prediction
from gensight.verbs.ask import ask
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
    policy = build_policy(config)
    predictor = Predictor(built, encoding, policy, batch_size=config.evaluation.batch_size)
    return TrainedRun(RunFolder(folder), config, None, built, encoding, policy, UNCALIBRATED, predictor)


@pytest.fixture
def many(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainedRun:
    trained = untrained(pipeline, tmp_path / "run")
    monkeypatch.setattr(TrainedRun, "load", lambda *_: trained)
    return trained


@pytest.fixture(scope="module")
def one_step(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    return untrained(pipeline, tmp_path_factory.mktemp("run"), way="one-step")


def follow(
    trained: TrainedRun, source: Path, instruction: str, out: Path | None = None, **options: Any
) -> tuple[Path, dict[str, Any]]:
    folder = ask(trained.folder.root, source, instruction, out, device="cpu", draw=False, **options).folder
    return folder, json.loads((folder / "answers.json").read_text())


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
    return path


class TestClasses:
    def test_typed_ones_are_sorted_as_their_colours_were_learned(self, one_step: TrainedRun) -> None:
        request = Request(instruction="segment them", classes=("dog", "cat")).resolve(one_step)
        assert request.classes == ("cat", "dog")
        assert "classes: cat, dog (in the order of the vocabulary" in request.note

    def test_foreign_ones_keep_the_typed_order(self, one_step: TrainedRun) -> None:
        request = Request(instruction="segment them", classes=("sofa", "cat")).resolve(one_step)
        assert request.classes == ("sofa", "cat")
        assert "as typed: sofa not in the run's vocabulary" in request.note

    def test_more_than_training_has_at_once_are_queried_one_by_one(self, one_step: TrainedRun) -> None:
        def note(instruction: str) -> str:
            return Request(instruction=instruction).resolve(one_step).note

        request = Request(instruction="segment everything").resolve(one_step)
        assert request.classes == NAMES
        assert request.note.endswith(
            "queried one by one (`segment the cat` ...), since training has 3 in one query at most"
        )
        assert "one by one" not in note("segment the cat, the dog and the cow")
        assert "one by one" not in note("what is this?")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(instruction="segment it", classes=("cat", "")), "an empty name among the classes: `cat,`"),
        (Request(instruction="segment it", classes=("cat", "cat")), "`cat` is named twice"),
        (Request(instruction="how deep?", task="depth", classes=("cat",)), "`depth` is a task of the whole image"),
        (Request(instruction="find all joints"), "not trained to keypoints[\\s\\S]*inferred from `joints`"),
        (Request(instruction="segment the cat", sampling=Sampling(seed=0)), "it has no noise and no --seed"),
        (
            Request(instruction="segment the cat", sampling=Sampling(steps=2, sampler="ddim")),
            "it has no noise and no --sampler, --steps",
        ),
        (Request(), "follows instructions, and none is given[\\s\\S]*gensight ask RUN IMAGES"),
    ],
)
def test_what_a_run_in_one_step_refuses(one_step: TrainedRun, request_: Request, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        request_.resolve(one_step)


def test_samplers_are_known_by_name() -> None:
    with pytest.raises(ConfigError, match=r"there is no sampler `eular`[\s\S]*did you mean `euler`"):
        find_sampler("eular")


def test_more_steps_than_noise_levels_are_refused(many: TrainedRun) -> None:
    with pytest.raises(ConfigError, match="5000 steps of 1000 noise levels"):
        Request(instruction="segment the cat", sampling=Sampling(steps=5000)).resolve(many)


def test_answers_record_how_they_were_sampled(many: TrainedRun, image: Path) -> None:
    samplers: list[str] = []
    method = many.method
    assert isinstance(method, Instruct)
    sample = method.editor.sample
    method.editor.sample = lambda *args: (samplers.append(args[4]), sample(*args))[1]  # type: ignore[method-assign, func-returns-value]
    before = method.sampling
    sampling = Sampling("ddim", 1, num_samples=2, seed=4)
    _, written = follow(many, image, "segment the cat", sampling=sampling)
    del written["answers"]
    assert written == {
        "instruction": "segment the cat", "task": "segment", "classes": ["cat"], "asked": "together",
        "way": "many-step", "sampler": "ddim", "steps": 1, "text_guidance": 7.5, "image_guidance": 1.5,
        "num_samples": 2, "seed": 4,
    }  # fmt: skip
    assert samplers == ["ddim", "ddim"]
    _, written = follow(many, image, "estimate the depth", sampling=Sampling(text_guidance=1.0))
    assert (written["text_guidance"], written["image_guidance"], written["seed"]) == (1.0, 1.5, 0)
    assert method.sampling == before  # it is not changed by a request


def test_a_run_in_one_step_has_no_sampling_to_write(
    one_step: TrainedRun, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainedRun, "load", lambda *_: one_step)
    _, written = follow(one_step, image, "estimate the depth", tmp_path / "out")
    assert set(written) == {"instruction", "task", "classes", "way", "answers"}


def test_all_classes_of_several_images_are_queried_in_full_batches(
    many: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.zeros((32, 32, 3), np.uint8))
    batches: list[list[str]] = []

    def outputs(batch: Any, sampling: Sampling | None) -> dict[str, torch.Tensor]:
        batches.append([f"{item.sample.key} {item.query.text}" for item in batch.items])
        painted = torch.zeros(len(batch), 3, 64, 64)
        for number, item in enumerate(batch.items):
            row = 16 * NAMES.index(item.query.options[0])
            painted[number, :, row : row + 16] = 1.0
        return {"painted": painted}

    monkeypatch.setattr(many.predictor, "outputs", outputs)
    _, written = follow(many, folder, "label every pixel")
    assert batches == [
        ["a.png segment the cat", "a.png segment the dog", "a.png segment the bird"],
        ["a.png segment the cow", "b.png segment the cat", "b.png segment the dog"],
        ["b.png segment the bird", "b.png segment the cow"],
    ]
    assert written["asked"] == "one by one"
    found = [[one["category"] for one in answer["instances"]] for answer in written["answers"]]
    assert found == [list(NAMES), list(NAMES)]


def test_a_video(many: TrainedRun, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as video:
        for level in range(3):
            video.write(np.full((32, 48, 3), 50 * level, np.uint8))
    folder, written = follow(many, tmp_path / "clip.mp4", "estimate the depth")
    named = [answer["depth"] for answer in written["answers"]]
    assert named == ["depth/000000.png", "depth/000001.png", "depth/000002.png"]
    assert all((folder / name).is_file() for name in named)


class TestFolders:
    def test_each_instruction_has_its_own(self, many: TrainedRun, image: Path) -> None:
        first, _ = follow(many, image, "estimate the depth")
        second, _ = follow(many, image, "estimate the depth", sampling=Sampling(seed=2))
        again, _ = follow(many, image, "estimate the depth")
        assert first.parent == second.parent == many.folder.root / "predict" / "a"
        assert first == again != second

    def test_a_typed_one_holds_one_instruction(self, many: TrainedRun, image: Path, tmp_path: Path) -> None:
        follow(many, image, "estimate the depth", tmp_path / "out")
        follow(many, image, "estimate the depth", tmp_path / "out", sampling=Sampling(seed=2))
        with pytest.raises(ConfigError, match="another instruction: `estimate the depth`"):
            follow(many, image, "segment the cat", tmp_path / "out")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Segment the cat, please!", "segment-the-cat-please-"),
            ("../..", "instruction-"),
            ("x" * 99, "x" * 40 + "-"),
        ],
    )
    def test_names(self, text: str, words: str) -> None:
        name = folder_name(Request(instruction=text))
        assert name.startswith(words)
        assert len(name) == len(words) + 6
        assert name != folder_name(Request(instruction=text, task="depth"))


def test_the_python_call_gives_the_same(many: TrainedRun, image: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8)
    single = many.predict(pixels, instruction="estimate the depth", sampling=Sampling(steps=1))
    assert isinstance(single, Prediction)
    assert single.depth is not None
    assert single.depth.values.shape == (40, 50)
    several = many.predict([image, pixels], instruction="how far is everything?", sampling=Sampling(steps=1))
    assert isinstance(several, list)
    assert [one.sample_key for one in several] == ["a.png", "1"]
