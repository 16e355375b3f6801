"""Specialists of the transformers library, tiny and with random weights, on the queries of a recipe and of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as t
from PIL import Image

from gensight.config.loading.loader import dump_config
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, RunError
from gensight.samples import Item, Query, Sample
from gensight.teachers.models.classification import ClassTeacher
from gensight.teachers.models.segmentation import SegmentTeacher
from gensight.teachers.specialist import Specialist, task_of, words
from gensight.verbs.evaluate_models import evaluate_models
from gensight.verbs.train import train
from tests.teachers.samples import sample
from tests.teachers.tiny_models import save_tiny
from tests.verbs.small_recipe import small_recipe

NAMES = {0: "person", 1: "dog, hound", 2: "Teddy_bear"}
_SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def _resnet() -> tuple[Any, dict[str, Any]]:
    shape = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "layer_type": "basic"}
    processor = {"size": {"shortest_edge": 32}, "crop_pct": 0.875, "resample": 3, "image_mean": [0.485, 0.456, 0.406],
                 "image_std": [0.229, 0.224, 0.225]}  # fmt: skip
    return t.ResNetForImageClassification(t.ResNetConfig(**shape, id2label=NAMES)), processor


def _vit() -> tuple[Any, dict[str, Any]]:
    config = t.ViTConfig(**_SMALL, image_size=32, patch_size=16, id2label=NAMES)
    return t.ViTForImageClassification(config), {"size": {"height": 32, "width": 32}, "resample": 2}


def _segformer() -> tuple[Any, dict[str, Any]]:
    config = t.SegformerConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8, id2label=NAMES
    )
    return t.SegformerForSemanticSegmentation(config), {"size": {"height": 64, "width": 64}}


def _mask2former() -> tuple[Any, dict[str, Any]]:
    backbone = t.SwinConfig(
        image_size=64, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = t.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
        encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=16, num_queries=4, id2label=NAMES,
    )  # fmt: skip
    return t.Mask2FormerForUniversalSegmentation(config), {"size": {"height": 64, "width": 64}}


_OWN = {"resnet": _resnet, "vit": _vit, "segformer": _segformer, "mask2former": _mask2former}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> folder of its tiny model."""
    root = tmp_path_factory.mktemp("specialists")

    def get(family: str) -> Path:
        folder = root / family
        if family not in _OWN:
            return folder if folder.is_dir() else save_tiny(family, folder)
        if not folder.is_dir():
            torch.manual_seed(0)
            made, processor = _OWN[family]()
            made.save_pretrained(folder)
            (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        return folder

    return get


def query_item(one: Sample, task: str, *options: str) -> Item:
    return Item((one,), query=Query(task, task, options))


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("resnet", "classify"), ("vit", "classify"), ("segformer", "segment"), ("mask2former", "segment"),
        ("dpt", "depth"), ("depth-anything", "depth"), ("zoedepth", "depth"), ("detr", "detect"), ("rt-detr", "detect"),
    ],
)  # fmt: skip
def test_the_task_is_read_from_the_config(model: Callable[[str], Path], family: str, task: str) -> None:
    assert task_of(model(family)) == task


@pytest.mark.parametrize("family", ["resnet", "vit"])
def test_a_classifier_answers_by_the_options_names(model: Callable[[str], Path], family: str) -> None:
    specialist, one = Specialist(str(model(family)), "cpu"), sample((40, 60))
    shares = specialist.teacher.probabilities(one)
    answer = specialist(query_item(one, "classify", "hound", "teddy bear", "cat")).label_scores

    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert answer == {"hound": shares["dog, hound"], "teddy bear": shares["Teddy_bear"], "cat": 0}
    assert specialist.knows(["hound", "cat", "person"]) == ["hound", "person"]


def test_a_classifiers_input_is_its_processors(model: Callable[[str], Path]) -> None:
    one = sample((40, 60))
    for family, kind in (("resnet", t.ConvNextImageProcessorPil), ("vit", t.ViTImageProcessorPil)):
        processor = kind.from_pretrained(model(family))
        expected = processor(Image.fromarray(one.image()), return_tensors="pt")["pixel_values"]
        found, _ = ClassTeacher(str(model(family)), "cpu").model_input(one)

        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("family", ["segformer", "mask2former"])
def test_a_segmenter_gives_each_pixel_its_likeliest_class(model: Callable[[str], Path], family: str) -> None:
    specialist, one = Specialist(str(model(family)), "cpu"), sample((40, 60))
    best = SegmentTeacher(str(model(family)), "cpu").probabilities(one).argmax(0)

    instances = specialist(query_item(one, "segment", "person", "hound", "teddy bear")).instances
    together = np.sum([instance.mask() for instance in instances], axis=0)
    np.testing.assert_array_equal(together, np.ones((40, 60)))
    for instance in instances:
        number = ["person", "hound", "teddy bear"].index(instance.category)
        np.testing.assert_array_equal(instance.mask(), best == number)
    assert specialist(query_item(one, "segment", "cat")).instances == ()


def test_a_detector_gives_all_its_boxes_of_the_queried_class(model: Callable[[str], Path]) -> None:
    specialist, one = Specialist(str(model("detr")), "cpu"), sample((40, 60))
    people = specialist(query_item(one, "detect", "person")).instances
    cats = specialist(query_item(one, "detect", "cat")).instances
    both = specialist(query_item(one, "detect", "person", "cat")).instances

    assert len(people) + len(cats) == len(both) == 5
    assert {instance.category for instance in cats} <= {"cat"}
    assert all(0 <= instance.confidence <= 1 for instance in both)


def test_names_of_a_class() -> None:
    assert words("tabby, Tabby_cat") == {"tabby", "tabby cat"}
    assert words("wire-haired fox terrier") == {"wire haired fox terrier"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tasks on synthetic scenes, by instructions."""
    values: dict[str, object] = {
        "name": "four",
        "data": {"kind": "puppets", "num_train": 4, "num_validation": 2, "num_test": 3, "size": [48, 64],
                 "subjects": "all"},
        "view": {"size": [64, 64], "crop": "frame"},
        "encoding": {"kind": "painted", "tasks": ["segment", "detect", "depth"], "max_boxes": 2},
        "backbone": {"kind": "tiny", "trainable": "full"},
        "method": {"kind": "instruct", "way": "one-step"},
        "evaluation": {"protocols": ["seg", "coco-box", "depth-metric", "depth-affine"]},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("recipe") / "four.yaml"
    path.write_text(dump_config(RunConfig.model_validate(values)))
    return path


def test_specialists_are_scored_on_a_recipes_queries(
    model: Callable[[str], Path], recipe: Path, tmp_path: Path
) -> None:
    announced: list[str] = []
    models = [f"transformers:{model(family)}" for family in ("segformer", "detr", "dpt", "zoedepth")]
    scored = evaluate_models(str(recipe), models, device="cpu", out=tmp_path, announce=announced.append)

    assert [one.task for one in scored] == ["segment", "detect", "depth", "depth"]
    assert all(result.protocol.startswith("depth-affine") for result in scored[2].results)
    assert any(result.protocol.startswith("depth-metric") for result in scored[3].results)
    assert all(one.results and not one.own for one in scored)
    assert scored[2].num_items == 3
    written = json.loads((tmp_path / "models.json").read_text())
    assert [one["scores"][0]["model"] for one in written["models"]] == [one.model for one in scored]
    assert any("unknown to the model" in text for text in announced)


def test_a_run_is_scored_beside_a_specialist_on_the_same_items(model: Callable[[str], Path], tmp_path: Path) -> None:
    config = small_recipe(
        tmp_path,
        view={"size": [64, 64], "crop": "frame"},
        encoding={"kind": "depth-map", "stride": 4},
        training={"steps": 2, "batch_size": 2, "validate_every": 2},
        evaluation={"protocols": ["depth-metric", "depth-affine"], "baselines": []},
    )
    run = train(config, tmp_path / "run", "cpu")
    (scored,) = evaluate_models(str(run), [f"transformers:{model('dpt')}"], device="cpu")

    known = {result["protocol"]: result["value"] for result in
             json.loads((run / "metrics.json").read_text())["scores"][0]["results"]}  # fmt: skip
    for own in scored.own:
        assert own.value == pytest.approx(known[own.protocol])
    written = json.loads((run / "models.json").read_text())["models"][0]
    assert [one["protocol"] for one in written["differences"]] == [own.protocol for own in scored.own]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("resnet50", "`resnet50` names no model"),
        ("transformers:{vit}", "answers `classify`, and `four` has no query of that task"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    model: Callable[[str], Path], recipe: Path, tmp_path: Path, name: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        evaluate_models(str(recipe), [name.format(vit=model("vit"))], device="cpu", out=tmp_path)


def test_a_folder_that_holds_no_such_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')

    with pytest.raises(RunError, match="a model of type 'gpt2' is no baseline here"):
        Specialist(str(tmp_path))
