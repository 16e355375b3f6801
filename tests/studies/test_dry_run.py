"""Estimates: what they are made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from gensight.assembly.experiment import Experiment
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig
from gensight.files.images import write_image
from gensight.studies.costs import Costs
from gensight.studies.dry_run import REPORT_SECONDS, START_SECONDS, DryRun, dry_run
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from tests.backbones.test_transformers_encoder import save
from tests.methods.classifier.small import COLOURS, Tinted
from tests.pipelines import save_pipeline
from tests.verbs import test_classify, test_gaze, test_landmarks, test_targets
from tests.verbs.small_recipe import small_recipe
from tests.verbs.test_gaze import METHODS as GAZE
from tests.verbs.test_targets import TARGETS

COSTS = Costs(opening=1.0, reading=0.01, step=0.5, checked=0.1, scored=0.2, kept=0.3, baselines={"mean-position": 0.5})


def tried(config: RunConfig, costs: Costs) -> DryRun:
    return DryRun(Experiment.open(config), "cpu", 100, 10, 20, 1, 1, costs, 0)


def test_an_estimate_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    training = {"steps": 50, "batch_size": 4, "validate_every": 20, "accumulate": 2}
    found = tried(small_recipe(tmp_path, training=training), COSTS)
    assert found.parts == pytest.approx({
        "start": START_SECONDS + 1,
        "steps": 100 * 0.5 + 100 * 0.01,
        "validation": 3 * 10 * 0.1,  # twice in the training, once for the confidence
        "scores": 20 * (0.2 + 0.3 + 0.5) + REPORT_SECONDS,
    })  # fmt: skip
    assert found.seconds == pytest.approx(sum(found.parts.values()))
    text = found.text()
    assert "time        1:24 for 50 steps and all else\n" in text
    for line in ("   0:08  start", "   0:51  steps", "   0:03  validation", "   0:22  scores"):
        assert line in text


def test_a_cache_is_filled_once_and_trained_baselines_cost_as_much(tmp_path: Path) -> None:
    config = small_recipe(tmp_path, "diffusers")
    found = tried(config, replace(COSTS, view=0.2))
    cache = (2 * 100 + 10) * 0.2  # two views of each item, and the validation part
    steps = 6 * 0.5 + 24 * 0.01  # 24 draws
    assert found.parts["feature cache"] == pytest.approx(cache)
    assert found.parts["steps"] == pytest.approx(steps)
    beside = found.parts["random-weights beside it"]
    assert beside == pytest.approx(cache + steps + found.parts["validation"] + 20 * 0.2)


def test_a_time_limit_ends_the_steps_and_their_validations(tmp_path: Path) -> None:
    training = {"steps": 1000, "batch_size": 4, "validate_every": 20, "max_minutes": 0.5}
    found = tried(small_recipe(tmp_path, training=training), COSTS)
    assert found.steps == 58  # of half a second, after a second of reading
    assert found.parts["steps"] == pytest.approx(30)
    assert found.parts["validation"] == pytest.approx(3 * 10 * 0.1)
    assert "for 58 steps and all else; no step begins after 0.5 minutes" in found.text()


@pytest.mark.parametrize("backbone", ["scratch", "diffusers"])
def test_a_dry_run_measures_each_part(tmp_path: Path, backbone: str) -> None:
    config = small_recipe(tmp_path, backbone)
    found, experiment = dry_run(config, "cpu"), Experiment.open(config)
    assert found.num_items == len(experiment.training_cases())
    assert (found.num_validated, found.num_tested) == (
        len(experiment.validation_cases() or ()), len(experiment.test_cases()),
    )  # fmt: skip
    assert 0 < found.num_trained <= found.num_parameters
    assert [*found.parts] == [
        "start",
        *(["feature cache"] if backbone == "diffusers" else []),
        "steps",
        "validation",
        "scores",
        *(["random-weights beside it"] if backbone == "diffusers" else []),
    ]
    cached = " with cached features" if backbone == "diffusers" else ""
    assert f"one step    {found.costs.step:.2f} s for a batch of 4 on cpu{cached}\n" in found.text()


@pytest.mark.parametrize("kind", [*GAZE, *TARGETS, "landmarks", "classifier", "instruct"])
def test_every_kind_of_training_is_estimated(tmp_path: Path, kind: str) -> None:
    config = recipe_of(kind, tmp_path)
    found = dry_run(config, "cpu")
    expected = {"start", "steps", "validation", "scores"} if kind != "landmarks" else {"start", "steps"}
    assert expected <= {*found.parts}
    assert found.costs.step > 0
    if kind == "instruct":
        assert {"shuffled-instructions", "held-out-paraphrases"} <= {*found.costs.baselines}


def recipe_of(kind: str, folder: Path) -> RunConfig:
    """A small one, as the tests of each kind have it."""
    if kind in GAZE:
        return test_gaze.recipe(kind)
    if kind in TARGETS:
        return test_targets.recipe(folder, kind)
    if kind == "landmarks":
        return load_recipe("landmarks-puppets", test_landmarks.SMALL)
    if kind == "classifier":
        for part, count in (("train", 12), ("val", 6)):
            for index in range(count):
                write_image(folder / part / COLOURS[index % 3] / f"{index}.png", Tinted(index, index % 3)())
        save(folder / "resnet")
        return test_classify.recipe(folder)
    source = "puppets num_train=4 num_validation=2 num_test=2 subjects=all num_subjects=[1,1] size=[64,64]"
    build_instruct(folder / "pool", Settings((source,), size=64))
    save_pipeline(folder / "sd")
    return RunConfig.model_validate({
        "name": "words",
        "data": {"kind": "instruct-pool", "root": str(folder / "pool")},
        "view": {"size": [64, 64], "augment": {"flip": 0.5}},
        "encoding": {"kind": "painted", "max_boxes": 2, "near": 0.5},
        "backbone": {"kind": "diffusers", "id": str(folder / "sd"), "trainable": "full"},
        "method": {"kind": "instruct", "way": "one-step"},
        "training": {"steps": 2, "batch_size": 4, "validate_every": 2},
        "evaluation": {"protocols": ["seg", "voc12"], "batch_size": 32},
    })  # fmt: skip
