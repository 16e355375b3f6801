"""A training on real COCO files: what evaluation writes is scored by pycocotools as by ourselves."""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gensight.config.loading.loader import load_recipe
from gensight.loading.cases import Cases
from gensight.prediction.batch_predictor import BatchPredictor
from gensight.samples import Item, Prediction
from gensight.verbs.evaluate import evaluate
from gensight.verbs.train import train

PARTS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged recipe, cut to two steps, on a network small enough for a test."""
    recipe = load_recipe("coco-keypoints", [
        f"data.root={shared_data / 'coco_mini'}", "view.size=[64,48]", "backbone.kind=scratch",
        "backbone.widths=[8,8,8]", "method.projection=8", "method.bottleneck=8", "method.widths=[8,8]",
        "training.steps=2", "training.batch_size=2", "evaluation.protocols=[coco-oks]", "evaluation.baselines=[]",
    ])  # fmt: skip
    return train(recipe, tmp_path_factory.mktemp("coco") / "run", device="cpu")


def guesses(
    self: BatchPredictor, cases: Cases, batch_size: int, num_workers: int = 0
) -> Iterator[tuple[Prediction, Item]]:
    """The truth, more or less jittered: answers that a network would need hours of training for."""
    generator = np.random.default_rng(0)
    for index in range(len(cases)):
        item = cases.item(index)
        assert item.subject is not None
        assert item.subject.keypoints is not None
        assert item.subject.box is not None
        spread = generator.uniform(0, 0.1) * float(np.ptp(item.subject.box.reshape(2, 2), axis=0).max())
        points = np.nan_to_num(item.subject.keypoints.points, nan=float(item.subject.box.mean()))
        answer = replace(
            item.subject,
            keypoints=replace(item.subject.keypoints, points=points + generator.normal(0, spread, points.shape)),
            confidence=round(float(generator.random()), 2),
        )
        yield Prediction(item.sample.key, item.sample.size, (answer,), item_key=item.key), item


def test_the_results_file_is_scored_equally_by_pycocotools(
    run: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchPredictor, "each", guesses)
    evaluate(run, device="cpu")
    truth = shared_data / "coco_mini/annotations/person_keypoints_val2017.json"
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(str(truth))
        evaluation = COCOeval(data, data.loadRes(str(run / "coco_results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    [result] = json.loads((run / "metrics.json").read_text())["scores"][0]["results"]
    theirs = dict(zip(PARTS, evaluation.stats.tolist(), strict=True))
    assert 0.1 < theirs["AP"] < 0.9
    assert {name: result["parts"][name] for name in PARTS} == pytest.approx(theirs, abs=1e-6)
    assert result["value"] == pytest.approx(theirs["AP"], abs=1e-6)


def test_every_subject_is_answered_once_under_the_ids_of_the_file(run: Path, shared_data: Path) -> None:
    entries = json.loads((run / "coco_results.json").read_text())
    truth = json.loads((shared_data / "coco_mini/annotations/person_keypoints_val2017.json").read_text())
    ids = {image["id"] for image in truth["images"]}
    assert {entry["image_id"] for entry in entries} <= ids
    assert {entry["category_id"] for entry in entries} == {1}
    assert len(entries) == len(json.loads((run / "predictions.json").read_text())["items"])
