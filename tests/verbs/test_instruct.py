"""Instruction following, end to end: a pool is built, learned from, scored, queried, exported and imported again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from diffusers import StableDiffusionInstructPix2PixPipeline

from gensight.assembly.experiment import Experiment
from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.diffusion.sampling import Sampling
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, RunError
from gensight.prediction.scoring.mask_threshold import best_threshold
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.instruct_pool.reader import InstructPoolReader
from gensight.verbs.ask import ask
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from gensight.verbs.editor import export_editor, import_editor
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    out = tmp_path_factory.mktemp("pool") / "pool"
    source = "puppets num_train=4 num_validation=2 num_test=2 subjects=all num_subjects=[1,1] size=[64,64]"
    build_instruct(out, Settings((source,), size=64))
    return out


@pytest.fixture(scope="module")
def run(pool, tmp_path_factory):
    base = tmp_path_factory.mktemp("run")
    save_pipeline(base / "sd")
    config = RunConfig.model_validate(
        {
            "name": "words",
            "data": {"kind": "instruct-pool", "root": str(pool)},
            "view": {"size": [64, 64], "augment": {"flip": 0.5}},
            "encoding": {"kind": "painted", "max_boxes": 2, "near": 0.5},
            "backbone": {"kind": "diffusers", "id": str(base / "sd"), "trainable": "lora", "lora_rank": 2},
            "method": {"kind": "instruct", "way": "one-step", "train_decoder": True},
            "training": {"steps": 2, "batch_size": 4, "validate_every": 2, "ema": 0.9},
            "evaluation": {"protocols": ["seg", "voc12", "depth-metric", "top-1"], "batch_size": 32},
        }
    )
    return train(config, base / "words", device="cpu")


def test_a_run_keeps_the_vocabulary_and_is_scored_beside_other_words(run):
    config = TrainedRun.load(run, "cpu").config
    assert config.encoding.categories[:2] == ("person", "dog")
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert [one["model"] for one in scores] == [
        "instruct", "most-frequent", "shuffled-instructions", "held-out-paraphrases"
    ]  # fmt: skip
    results = {one["protocol"]: one for one in scores[0]["results"]}
    assert {"seg/miou", "voc12", "depth-metric/absrel", "top-1"} <= set(results)
    assert results["seg/miou"]["num_images"] == 2


def test_a_run_keeps_the_threshold_that_its_validation_part_taught(run):
    trained, card = TrainedRun.load(run, "cpu"), RunFolder(run).read_card()
    assert 0 < card.threshold < 1
    assert {one.threshold for name, one in trained.encoding.tasks.items() if name in ("segment", "detect")} == {
        card.threshold
    }
    experiment = Experiment.open(trained.config)
    assert best_threshold(experiment, trained.method, "cpu") == card.threshold


def test_images_of_any_aspect_come_back_at_their_size(run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in (("wide.png", (40, 90)), ("tall.png", (80, 50))):
        cv2.imwrite(str(folder / name), np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8))
    out = ask(run, folder, "How deep is this picture?", tmp_path / "depth", device="cpu").folder
    assert cv2.imread(str(out / "depth" / "wide.png"), cv2.IMREAD_UNCHANGED).shape == (40, 90)
    out = ask(run, folder, "find all dogs", tmp_path / "boxes", device="cpu", draw=False).folder
    written = json.loads((out / "answers.json").read_text())
    assert (written["task"], written["classes"], len(written["answers"])) == ("detect", ["dog"], 2)
    both = "segment the dog and the person"
    out = ask(run, folder, both, tmp_path / "both", device="cpu", draw=False).folder
    written = json.loads((out / "answers.json").read_text())
    assert written["classes"] == ["person", "dog"]  # in the order of their colours, that of the vocabulary
    out = ask(run, folder, "what is this?", tmp_path / "label", device="cpu", draw=False).folder
    answers = json.loads((out / "answers.json").read_text())["answers"]
    assert set(answers[0]["label_scores"]) >= {"person", "dog", "bear"}


@pytest.mark.parametrize(
    ("instruction", "options", "message"),
    [
        ("segment the sofa", {}, "names no class of this run"),
        ("hello", {}, "names no task"),
        ("segment the dog", {"sampling": Sampling(steps=5)}, "is one-step: it has no noise and no --steps"),
        ("dog", {"task": "caption"}, "not trained to caption"),
    ],
)
def test_instructions_that_cannot_be_followed(run, tmp_path, instruction, options, message):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ConfigError, match=message):
        ask(run, tmp_path / "a.png", instruction, tmp_path / "out", device="cpu", **options)
    with pytest.raises(ConfigError, match=r"follows instructions[\s\S]*gensight ask RUN IMAGES"):
        predict(run, tmp_path / "a.png", tmp_path / "out", "cpu")


def test_to_diffusers_and_back(run, tmp_path):
    folder = export_editor(run, tmp_path / "pipeline")
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder, safety_checker=None)
    assert pipeline.unet.config.in_channels == 8
    back = import_editor(
        str(folder), tmp_path / "back", ["encoding.categories=[dog]", "view.size=[64,64]", "method.sample_steps=1",
                                         "encoding.labels=[dog, cat]"],
    )  # fmt: skip
    trained = TrainedRun.load(back, "cpu")
    assert trained.config.method.sampler == "euler-ancestral"
    assert dump_config(trained.config)
    assert (trained.encoding.tasks["detect"].width, trained.config.view.crop) == (4, "fitted-frame")
    card = json.loads((back / "model" / "card.json").read_text())
    assert any("interpolated linearly" in note for note in card["imported"]["notes"])
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in (("a.png", (40, 90)), ("b.png", (80, 50)), ("c.png", (64, 64))):
        cv2.imwrite(str(folder / name), np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8))
    out = ask(back, folder, "detect the dog", tmp_path / "found", device="cpu", draw=False).folder
    sizes = [one["size"] for one in json.loads((out / "answers.json").read_text())["answers"]]
    assert sizes == [[40, 90], [80, 50], [64, 64]]  # each shown at a size of its own
    with pytest.raises(RunError, match="is no editor"):
        import_editor(str(Path(run).parent / "sd"), tmp_path / "other", [])


class TestPool:
    def test_truths_come_back_from_the_answers(self, pool):
        reader = InstructPoolReader(pool, "train")
        assert len(reader) == 4
        assert reader.labels == reader.categories
        for sample in reader:
            (one,) = sample.instances
            assert sample.label == one.category
            classes = sample.extras["segmentation"]
            shown = {classes.names[number] for number in np.unique(classes())}
            assert shown <= {"background", one.category}
            x0, y0, x1, y1 = one.box
            rows, columns = np.nonzero(classes())
            assert rows.min() >= y0 - 1
            assert rows.max() <= y1 + 1
            assert columns.min() >= x0 - 1
            assert columns.max() <= x1 + 1
            assert sample.image().shape[:2] == sample.size == sample.depth().values.shape
        assert not reader.check().findings or all(one.level != "error" for one in reader.check().findings)
