"""A specialist classifier from end to end: epochs, scores, pictures, predictions, and beside a model of the library."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gensight.assembly.experiment import Experiment
from gensight.config.loading.loader import list_recipes, load_recipe
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.images import write_image
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.evaluate_models import evaluate_models
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.backbones.test_transformers_encoder import save
from tests.methods.classifier.small import COLOURS, Tinted


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images to train on and six to test on, in one folder per colour; the model is in `resnet`."""
    root = tmp_path_factory.mktemp("colours")
    for part, count, first in (("train", 12, 0), ("val", 6, 100)):
        for index in range(count):
            image = Tinted(first + index, index % 3)()
            write_image(root / part / COLOURS[index % 3] / f"{index}.png", image)
    save(root / "resnet")
    return root


def recipe(folders: Path, **changes: object) -> RunConfig:
    values: dict[str, object] = {
        "name": "colours",
        "data": {"kind": "image-folders", "root": str(folders), "validation_share": 0.25},
        "view": {"size": [16, 16], "crop": "stretched-frame"},
        "encoding": {"kind": "class"},
        "backbone": {"kind": "transformers", "id": str(folders / "resnet")},
        "method": {"kind": "classifier"},
        "training": {"epochs": 3, "batch_size": 4, "optimiser": "sgd", "learning_rate": 0.05, "validate_every": 3},
        "evaluation": {"protocols": ["classification"], "baselines": ["most-frequent", "random-weights"]},
        **changes,
    }
    return RunConfig.model_validate(values)


@pytest.fixture(scope="module")
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(recipe(folders), tmp_path_factory.mktemp("runs") / "colours", device="cpu")


def test_epochs_become_steps_that_the_run_keeps(folders: Path, run: Path) -> None:
    training = load_recipe(run / "config.yaml").training
    assert (training.steps, training.epochs) == (7, None)  # 3 passes over 9 images, 4 at a time, rounded up
    twice = recipe(folders, training={"epochs": 1, "batch_size": 2, "accumulate": 2})
    labelled = twice.model_copy(update={"encoding": twice.encoding.model_copy(update={"labels": COLOURS})})
    assert Experiment.open(labelled).with_steps().config.training.steps == 3


def test_a_run_keeps_its_classes_and_is_scored_beside_its_baselines(run: Path) -> None:
    encoding = TrainedRun.load(run, "cpu").config.encoding
    assert encoding.labels == ("blue", "green", "red")
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert [one["model"] for one in scores] == ["classifier", "most-frequent", "random-weights"]
    assert [one["protocol"] for one in scores[0]["results"]] == ["top-1", "top-5", "balanced-accuracy", "ece"]
    for one in scores[0]["results"]:
        few = any(note.startswith("no interval") for note in one["notes"])
        assert few == (one["interval"] == [None, None])
        assert few or one["interval"][0] <= one["value"] <= one["interval"][1]
    assert scores[0]["results"][1]["value"] == 1  # of three classes


def test_predictions_are_kept_with_their_truth_and_pictures(run: Path) -> None:
    items = json.loads((run / "predictions.json").read_text())["items"]
    assert len(items) == 6
    for item in items:
        assert item["label"] in COLOURS
        assert sum(item["label_scores"].values()) == pytest.approx(1, abs=1e-5)
        assert item["error"] == pytest.approx(1 - item["label_scores"][item["label"]], abs=1e-6)
        assert (run / item["panel"]).is_file()
    assert "top-1" in (run / "report.html").read_text()


def test_predict_names_the_class_of_each_image(run: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    for number, size in enumerate([(20, 30), (31, 17)]):
        noise = np.random.default_rng(number).integers(0, 255, (*size, 3))
        write_image(images / f"{number}.png", noise.astype(np.uint8))
    out = predict(run, images, tmp_path / "out", device="cpu")
    labels = json.loads((out / "labels.json").read_text())
    assert [one["image"] for one in labels] == ["0.png", "1.png"]
    for one in labels:
        assert next(iter(one["likeliest"])) == one["label"]
        assert one["confidence"] == max(one["likeliest"].values())
    rows = list(csv.DictReader((out / "labels.csv").open()))
    assert [(row["image"], row["label"]) for row in rows] == [(one["image"], one["label"]) for one in labels]
    assert (out / "overlays/1.jpg").is_file()
    (tmp_path / "boxes.json").write_text("[]")
    with pytest.raises(ConfigError, match="looks at whole images"):
        predict(run, images, tmp_path / "boxed", device="cpu", boxes=tmp_path / "boxes.json")


def test_a_librarys_classifier_is_scored_on_the_same_images(run: Path, folders: Path, tmp_path: Path) -> None:
    config = json.loads((folders / "resnet/config.json").read_text())
    named = {**config, "id2label": dict(zip("012", COLOURS, strict=True))}
    own = tmp_path / "named"
    own.mkdir()
    for path in (folders / "resnet").iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    (own / "config.json").write_text(json.dumps(named))
    [scored] = evaluate_models(str(run), [f"transformers:{own}"], device="cpu")
    assert (scored.task, scored.num_items, scored.unknown) == ("classify", 6, ())
    assert [one.protocol for one in scored.results] == [one.protocol for one in scored.own]


def test_what_does_not_go_together_is_refused(folders: Path) -> None:
    with pytest.raises(ValueError, match=r"encoding\.kind=class goes with method\.kind=classifier, not with readout"):
        recipe(folders, method={"kind": "readout"})
    with pytest.raises(ValueError, match=r"method\.kind=classifier goes with encoding\.kind=class"):
        recipe(folders, encoding={"kind": "heatmap"})
    with pytest.raises(ValueError, match=r"paints with a diffusion model, not with backbone\.kind=transformers"):
        recipe(folders, encoding={"kind": "painted"}, method={"kind": "instruct"}, evaluation={})
    with pytest.raises(ConfigError, match="is not a multiple of the backbone's stride"):
        train(recipe(folders, view={"size": [20, 16]}), folders / "odd", device="cpu")


def test_synthetic_scenes_of_one_kind_of_subject_are_classified(tmp_path: Path, folders: Path) -> None:
    data = {"kind": "puppets", "num_train": 6, "num_validation": 0, "num_test": 3, "size": [32, 32], "subjects": "all",
            "num_subjects": [1, 1]}  # fmt: skip
    out = train(
        recipe(folders, data=data, training={"steps": 2}, evaluation={"baselines": []}, view={"size": [32, 32]}),
        tmp_path / "run", device="cpu",
    )  # fmt: skip
    assert "person" in TrainedRun.load(out, "cpu").config.encoding.labels


@pytest.mark.parametrize("name", [name for name in list_recipes() if name.startswith("classify-")])
def test_the_recipes_name_the_published_settings(name: str) -> None:
    config = load_recipe(name, ["data.root=x"])
    training = config.training
    published = {"classify-pets-resnet50": (100, 0.01, 256), "classify-pets-vit-b16": (300, 0.001, 64)}
    assert (training.epochs, training.learning_rate, training.batch_size) == published[name]
    assert (training.optimiser, config.encoding.kind, config.method.kind) == ("sgd", "class", "classifier")
